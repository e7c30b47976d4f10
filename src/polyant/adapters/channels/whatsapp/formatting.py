"""Markdown as WhatsApp's light markup: https://faq.whatsapp.com/539178204879377."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import pyromark

MAX_CHARACTERS = 4_096

_OPTIONS: Final = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH
_MARKS = {"Strong": "*", "Emphasis": "_", "Strikethrough": "~"}
_BOLD = frozenset({"Strong", "Heading"})
_RULE = "———"


def format_text(markdown: str) -> str:
    """Returns the text with WhatsApp's markup; the Markdown itself if it can't be represented."""
    try:
        text = _Document().render(pyromark.events(markdown, options=_OPTIONS, merge_text=True))
    except Exception:  # noqa: BLE001 - no fault of the formatting may lose the text
        return markdown
    return text if text.strip() and len(text) <= MAX_CHARACTERS else markdown


class _Element(msgspec.Struct):
    """An element that isn't complete: its inline text so far, and its complete blocks."""

    tag: str
    details: Any = None
    text: str = ""
    blocks: list[str] = []

    def all_blocks(self) -> list[str]:
        return [*self.blocks, *([self.text] if self.text else [])]


class _Document:
    """Renders the events of a Markdown parser."""

    def __init__(self) -> None:
        self._open = [_Element("Document")]

    def render(self, events: Iterable[Any]) -> str:
        for event in events:
            name, details = _unpacked(event)
            if name == "Start":
                self._open.append(_Element(*_unpacked(details)))
            elif name == "End":
                self._close(self._open.pop())
            else:
                self._open[-1].text += self._inline(name, details)
        return "\n\n".join(self._open[0].all_blocks()).strip()

    def _inline(self, name: str, details: Any) -> str:
        match name:
            case "Code":
                return f"`{details}`"
            case "SoftBreak" | "HardBreak":
                return "\n"
            case "Rule":
                self._add_block(_RULE)
                return ""
        return str(details)

    def _close(self, element: _Element) -> None:
        inside = {each.tag for each in self._open}
        if element.tag in _MARKS:
            repeated = inside & (_BOLD if element.tag in _BOLD else {element.tag})
            self._open[-1].text += element.text if repeated else _marked(element.text, _MARKS[element.tag])
        elif element.tag in {"Link", "Image"}:
            self._open[-1].text += _linked(element.text, element.details["dest_url"])
        elif element.tag == "TableCell":
            self._open[-1].blocks.append(element.text)
        else:
            self._add_block(_BLOCKS.get(element.tag, _paragraph)(element))

    def _add_block(self, block: str) -> None:
        parent = self._open[-1]
        if parent.text:  # the text of a tight list item precedes its nested list
            parent.blocks.append(parent.text)
            parent.text = ""
        parent.blocks.append(block)


def _unpacked(event: Any) -> tuple[str, Any]:
    """Returns the name and the details of an event or a tag, which is a name or a mapping with one name."""
    if isinstance(event, Mapping):
        ((name, details),) = event.items()
        return str(name), details
    return str(event), None


def _marked(text: str, mark: str) -> str:
    """Returns the text with the mark around each line, since WhatsApp's formatting ends with the line."""
    return "\n".join(f"{mark}{line}{mark}" if line.strip() else line for line in text.split("\n"))


def _linked(text: str, url: str) -> str:
    return url if not text or text in {url, url.removeprefix("mailto:")} else f"{text} ({url})"


def _paragraph(element: _Element) -> str:
    return "\n\n".join(element.all_blocks())


def _heading(element: _Element) -> str:
    return _marked(element.text, "*")


def _code(element: _Element) -> str:
    return f"```\n{element.text.rstrip()}\n```"


def _quote(element: _Element) -> str:
    return "\n".join(f"> {line}" for line in _paragraph(element).split("\n") if line)


def _item(element: _Element) -> str:
    first, *others = element.all_blocks() or [""]
    return "\n".join([first, *(f"  {line}" for block in others for line in block.split("\n"))])


def _list(element: _Element) -> str:
    start = element.details
    return "\n".join(
        f"- {item}" if start is None else f"{start + number}. {item}" for number, item in enumerate(element.blocks)
    )


def _head(element: _Element) -> str:
    return " | ".join(_marked(cell, "*") for cell in element.blocks)


def _row(element: _Element) -> str:
    return " | ".join(element.blocks)


def _table(element: _Element) -> str:
    return "\n".join(element.blocks)


_BLOCKS: Mapping[str, Callable[[_Element], str]] = {
    "Heading": _heading,
    "CodeBlock": _code,
    "BlockQuote": _quote,
    "Item": _item,
    "List": _list,
    "TableHead": _head,
    "TableRow": _row,
    "Table": _table,
}
