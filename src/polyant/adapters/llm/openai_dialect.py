"""How servers and models deviate from OpenAI's API reference."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

_OPENAI_OWN_HOST = ".api.openai.com"
_AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_GPT = re.compile(r"gpt[-_ ]?(\d{1,2})(?:(?:\.(\d{1,2})|[-_](\d))(?!\d))?(?!\d)(?!.*chat(?![a-z]))", re.IGNORECASE)
_O_SERIES = re.compile(r"\A(?:.*/)?o[1-9](?:-|\Z)")
_O_SERIES_ANYWHERE = re.compile(r"(?<![a-z0-9])o[1-9](?:mini|preview|pro)?(?![a-z0-9.])", re.IGNORECASE)
_FIRST_AMBIGUOUS_NUMBER = 30
"""Numbers from 30 on are versions without their point; there are no models of major versions that high."""
_FIRST_REASONING_GPT = (5, 0)
_FIRST_GPT_WITHOUT_TOOL_REASONING = (5, 1)


class Dialect(NamedTuple):
    """How a server and a model deviate from the API reference."""

    is_openai: bool
    """OpenAI's and Azure's servers deprecate `max_tokens`; others may not know `max_completion_tokens`."""
    is_openai_own: bool
    """OpenAI's own servers; others, Azure's included, may reject fields that are new or are about the caller."""
    is_azure_deployment: bool
    """Azure's older addresses of single deployments expect the key in a header of their own."""
    is_reasoning_model: bool
    """Reasoning models reject sampling parameters and stop sequences with status 400, so they are omitted."""
    tools_exclude_reasoning: bool
    """The model rejects tools on this API unless `reasoning_effort` is none; from GPT-5.6 on, even if it is omitted."""


@lru_cache(maxsize=1024)
def dialect_of(base_url: str, model: str) -> Dialect:
    """Returns the known deviations of the server and the model.

    Args:
        base_url: The address of the server.
        model: The model's name, or the name of a deployment that contains it, such as `prod-gpt5`.
    """
    parts = urlsplit(base_url)
    host = f".{parts.hostname or ''}"
    is_own, is_azure = host.endswith(_OPENAI_OWN_HOST), host.endswith(_AZURE_HOSTS)
    version = _gpt_version(model)
    # Others than OpenAI have models with names such as marco-o1.
    o_series = _O_SERIES_ANYWHERE.search(model) if is_own or is_azure else _O_SERIES.match(model)
    return Dialect(
        is_openai=is_own or is_azure,
        is_openai_own=is_own,
        is_azure_deployment=is_azure and "/deployments/" in parts.path,
        is_reasoning_model=version >= _FIRST_REASONING_GPT or bool(o_series),
        tools_exclude_reasoning=(is_own or is_azure) and version >= _FIRST_GPT_WITHOUT_TOOL_REASONING,
    )


def _gpt_version(model: str) -> tuple[int, int]:
    """Returns the version in the model's name, (0, 0) if there is none; `gpt-35` and `gpt54` are 3.5 and 5.4."""
    found = _GPT.search(model)
    if found is None:
        return 0, 0
    major, minor = found[1], found[2] or found[3]
    if minor is None and int(major) >= _FIRST_AMBIGUOUS_NUMBER:
        return int(major[0]), int(major[1])
    return int(major), int(minor or 0)
