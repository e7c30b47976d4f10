"""Markdown as Telegram's text with entities."""

import re
from typing import Any, Final

import msgspec
from telegramify_markdown import convert
from telegramify_markdown.config import RenderConfig

MAX_UNITS = 4_096
"""The largest length of a message, in UTF-16 units."""

_MAX_ENTITIES = 100
"""Telegram ignores further entities of a message."""


_MARKUP = re.compile(r"(^(`{3,}|~{3,}).*?(?:^\2|\Z)|(`+)[^`]+\3|\\.)|<(?!https?://|mailto:)", re.DOTALL | re.MULTILINE)
"""Code, in which nothing is escaped, and what the converter would take for HTML and drop."""


class FormattedText(msgspec.Struct, frozen=True):
    """A text and its entities; there are none if the text is plain."""

    text: str
    entities: tuple[dict[str, Any], ...] = ()


def _config() -> RenderConfig:
    config = RenderConfig.isolated()
    symbol = config.markdown_symbol
    symbol.heading_level_1 = symbol.heading_level_2 = symbol.heading_level_3 = symbol.heading_level_4 = ""
    symbol.image = symbol.link = ""
    symbol.unordered_list_item = "•"
    return config


_CONFIG: Final = _config()


def units_of(text: str) -> int:
    """Returns the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def format_text(markdown: str) -> FormattedText:
    """Returns the text with entities; the Markdown itself without entities if it can't be represented."""
    try:
        text, entities = convert(_MARKUP.sub(_escape, markdown), latex_escape=False, config=_CONFIG)
    except Exception:  # noqa: BLE001 - no fault of the formatting may lose the text
        return FormattedText(markdown)
    if not text.strip() or units_of(text) > MAX_UNITS:
        return FormattedText(markdown)
    return FormattedText(text, tuple(entity.to_dict() for entity in entities[:_MAX_ENTITIES]))


def _escape(found: "re.Match[str]") -> str:
    return found[1] or r"\<"


def cut(text: str, units: int = MAX_UNITS) -> str:
    """Returns the beginning of a text that has at most that many UTF-16 units."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore")
