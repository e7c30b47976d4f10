"""aider's coder in ask mode, which needs no repository."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aider.coders import Coder, base_coder
from aider.io import InputOutput
from aider.models import Model

from clients.driving import Call, drive

_NO_RETRIES_SECONDS = 0.1
_DEFAULT_RETRY_SECONDS: float = base_coder.RETRY_TIMEOUT


class AiderError(Exception):
    """The error that aider prints; it raises none."""


class _Printed(InputOutput):  # type: ignore[misc]  # aider isn't installed where types are checked
    """Collects the printed errors."""

    def __init__(self) -> None:
        super().__init__(pretty=False, yes=True, fancy_input=False)
        self.errors: list[str] = []

    def tool_error(self, message: str = "", strip: bool = True) -> None:  # noqa: FBT001, FBT002 - aider's signature
        self.errors.append(message)

    def tool_warning(self, message: str = "", strip: bool = True) -> None:  # noqa: FBT001, FBT002 - aider's signature
        self.errors.append(message)


@contextmanager
def _coder(call: Call, *, stream: bool) -> Iterator[Any]:
    """Yields the coder with the conversation so far, and raises what it prints as errors."""
    os.environ.update(OPENAI_API_BASE=call.base_url, OPENAI_API_KEY=call.key)
    base_coder.RETRY_TIMEOUT = _DEFAULT_RETRY_SECONDS if call.retries is None else _NO_RETRIES_SECONDS
    printed = _Printed()
    coder = Coder.create(
        main_model=Model(f"openai/{call.model}"),
        edit_format="ask",
        io=printed,
        use_git=False,
        stream=stream,
        map_tokens=0,
        suggest_shell_commands=False,
    )
    coder.done_messages = list(call.messages[:-1])
    printed.errors.clear()
    yield coder
    if printed.errors:
        raise AiderError("\n".join(printed.errors))


def answer(call: Call) -> dict[str, Any]:
    with _coder(call, stream=False) as coder:
        coder.run(with_message=call.messages[-1]["content"], preproc=False)
    return {"text": coder.partial_response_content, "usage": None}


def stream(call: Call) -> dict[str, Any]:
    with _coder(call, stream=True) as coder:
        pieces = coder.run_stream(call.messages[-1]["content"])
        for piece in pieces:
            if call.report(piece):
                pieces.close()
                break
    return {}


def snippet(call: Call) -> dict[str, str]:
    """Runs the example with this environment's aider."""
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", call.code], capture_output=True, text=True, check=True, env=environment)
    return {"text": done.stdout}


if __name__ == "__main__":
    drive(version("aider-chat"), {"snippet": snippet, "answer": answer, "stream": stream})
