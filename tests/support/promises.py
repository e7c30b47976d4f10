"""The promises of the ports' docstrings, and the tests of the contract kits that prove them."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from polyant.testing.contract import Contract

SOURCE = Path(__file__).parent.parent.parent / "src" / "polyant"
PORTS = sorted(path.stem for path in (SOURCE / "domain" / "ports").glob("*.py") if path.stem != "__init__")
KITS = sorted(path.stem for path in (SOURCE / "testing").glob("*.py") if path.stem != "__init__")

_SECTION = re.compile(r"(?m)^(Args|Raises|Returns|Yields):$")
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])(?<!e\.g\.)\s+(?=[A-Z`0-9-])")
_BLOCK = re.compile(r"\n\s*\n|\n\s*- |\n(?=[A-Z][A-Za-z]+Error: )|\n(?=[a-z_]+: )|\n(?=Exception: )")


def ports_of(stem: str) -> list[type]:
    """Returns the protocols of a module in `polyant.domain.ports`: the port, and those of the objects it returns."""
    module = importlib.import_module(f"polyant.domain.ports.{stem}")
    classes = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    return [each for each in classes if getattr(each, "_is_protocol", False)]


def promises_of(stem: str) -> list[str]:
    """Returns the sentences of the docstrings of a port and its methods."""
    texts = [inspect.getdoc(documented) or "" for port in ports_of(stem) for documented in (port, *_methods_of(port))]
    return list(dict.fromkeys(sentence for text in texts for sentence in sentences_of(text)))


def _methods_of(port: type) -> list[object]:
    return [member for name, member in vars(port).items() if inspect.isfunction(member) and name[0] != "_"]


def sentences_of(docstring: str) -> Iterator[str]:
    """Yields the sentences of a docstring in one line each; an exception's name belongs to its first sentence."""
    described, *sections = _SECTION.split(docstring)
    named = zip(sections[::2], sections[1::2], strict=True)
    blocks = [described, *(inspect.cleandoc(text) for name, text in named if name != "Args")]
    for text in blocks:
        for block in _BLOCK.split(f"\n{text}"):
            joined = " ".join(block.split()).removeprefix("- ")
            yield from (sentence for sentence in _END_OF_SENTENCE.split(joined) if sentence)


def kits_of(stem: str) -> list[type[Contract]]:
    """Returns the contracts of a port: those of the module in `polyant.testing` with the same name."""
    module = importlib.import_module(f"polyant.testing.{stem}")
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Contract)]
    return [each for each in found if each.__module__ == module.__name__]


def proofs_of(stem: str) -> dict[str, set[str]]:
    """Returns the names of the tests that prove each sentence of a port."""
    proofs: dict[str, set[str]] = {}
    for kit in kits_of(stem):
        for test, sentence in kit.promises():
            proofs.setdefault(sentence, set()).add(test)
    return proofs
