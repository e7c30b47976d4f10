"""Collects the tools that an MCP server lists, page by page and within limits."""

from typing import Any

import msgspec

from polyant.adapters.mcp.json_text import MAX_ITEMS, InvalidJsonError, decode, items_of

MAX_LISTING_BYTES = 4 * 1024 * 1024
"""The maximum size of all pages together."""

_MAX_NAME_CHARACTERS = 256
_REQUIRED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
"""The fields that newer protocol versions require; nothing here uses them."""
_PARAMETER_HEADER = b'"x-mcp-header"'


class _Annotations(msgspec.Struct, rename="camel"):
    title: str | None = None
    read_only_hint: bool | None = None
    destructive_hint: bool | None = None
    idempotent_hint: bool | None = None
    open_world_hint: bool | None = None


class ListedTool(msgspec.Struct, rename="camel"):
    """A tool as listed by a server."""

    name: str
    input_schema: msgspec.Raw
    title: Any = None
    description: Any = None
    annotations: _Annotations | None = None

    @property
    def shown_description(self) -> str:
        """The description, the title or the name, whichever the server gives first as text."""
        return next(text for text in (self.description, self.title, self.name) if isinstance(text, str) and text)


class _Name(msgspec.Struct):
    name: str


class _Page(msgspec.Struct, rename="camel"):
    tools: msgspec.Raw
    next_cursor: Any = None


class _NameAndSchema(msgspec.Struct, rename="camel"):
    name: str
    input_schema: dict[str, Any]


_page_decoder = msgspec.json.Decoder(_Page)
_tool_decoder = msgspec.json.Decoder(ListedTool)
_name_decoder = msgspec.json.Decoder(_Name)
_schema_decoder = msgspec.json.Decoder(_NameAndSchema)


class ToolListing:
    """The tools of one server; reading ends at 1,000 tools and at 4 MiB.

    `add_page` returns what the MCP package gets to see of a page, because the package rejects a whole page for one
    faulty tool and builds objects for everything in it.
    """

    def __init__(self) -> None:
        self.tools: dict[str, ListedTool] = {}
        """The readable tools, by name; of two with the same name, the first."""
        self.unreadable: list[tuple[str, str]] = []
        """The name and the reason for each tool that can't be read."""
        self.fault: str | None = None
        """The reason why the list is incomplete."""
        self._bytes = 0
        self._tools = 0
        self._cursors: set[str] = set()

    @property
    def bytes_left(self) -> int:
        """How many bytes the next page may have."""
        return MAX_LISTING_BYTES - self._bytes

    def add_page(self, result: msgspec.Raw) -> bytes:
        """Adds the tools of a result of `tools/list`, and returns the result without tools.

        Raises:
            InvalidJsonError: The result isn't one of `tools/list`.
        """
        page = decode(_page_decoder, result)
        items, more = items_of(page.tools)
        self._bytes += len(bytes(result))
        room = MAX_ITEMS - self._tools
        if more or len(items) > room:
            self.fault = f"the server lists more than {MAX_ITEMS} tools: only the first {MAX_ITEMS} are used"
        for item in items[:room]:
            self._tools += 1
            self._add(item)
        kept = [
            {"name": tool.name, "inputSchema": tool.input_schema} for tool in map(_with_headers, items[:room]) if tool
        ]
        cursor = self._next_cursor(page)
        more_pages = {} if cursor is None else {"nextCursor": cursor}
        return msgspec.json.encode({"tools": kept, **_REQUIRED, **more_pages})

    def stop(self, reason: str) -> None:
        """Ends the list early, with the tools found so far."""
        self.fault = reason

    def _add(self, item: msgspec.Raw) -> None:
        try:
            tool = decode(_tool_decoder, item)
        except InvalidJsonError as error:
            self.unreadable.append((_name_of(item) or f"number {self._tools}", f"it can't be read: {error}"))
            return
        if not tool.name:
            self.unreadable.append((f"number {self._tools}", "it has no name"))
        elif tool.name in self.tools:
            self.unreadable.append((shown(tool.name), "the server lists it twice"))
        else:
            self.tools[tool.name] = tool

    def _next_cursor(self, page: _Page) -> str | None:
        """Returns the cursor of the next page, or None at the end, at a limit and if the cursors repeat."""
        cursor = page.next_cursor
        if not isinstance(cursor, str) or not cursor or self.fault is not None:
            return None
        if cursor in self._cursors:
            self.fault = "the server's pages repeat"
            return None
        self._cursors.add(cursor)
        return cursor


def shown(name: str) -> str:
    """Returns a tool's name for logs, clipped and without line breaks."""
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= _MAX_NAME_CHARACTERS else f"{text[:_MAX_NAME_CHARACTERS]}…"


def _name_of(item: msgspec.Raw) -> str:
    try:
        return shown(decode(_name_decoder, item).name)
    except InvalidJsonError:
        return ""


def _with_headers(item: msgspec.Raw) -> _NameAndSchema | None:
    """Returns a tool whose arguments the package also sends as headers, or None for other tools."""
    if _PARAMETER_HEADER not in bytes(item):
        return None
    try:
        tool = decode(_schema_decoder, item)
    except InvalidJsonError:
        return None
    return tool if tool.name and tool.input_schema.get("type") == "object" else None
