"""The providers and tools that instances can choose."""

from collections.abc import Mapping

import msgspec

from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.tool import Tool


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """The enabled providers and the installed tools, by name."""

    providers: Mapping[str, ProviderInfo]
    tools: Mapping[str, Tool]
