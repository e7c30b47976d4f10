"""The form of one MCP server: its values, and the change that it describes."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.mcp_servers import (
    ALL_TOOLS,
    McpServer,
    check_header_secret,
    check_mcp_header,
    check_mcp_name,
    check_mcp_tools,
    check_mcp_url,
)
from polyant.domain.secrets import SecretName, parse_secret_value
from polyant.domain.urls import origin_of
from polyant.domain.use_cases.check_mcp_server import McpServerCheck
from polyant.domain.use_cases.set_mcp_server import McpServerChange
from polyant.http.panel.forms import SECRET_PREFIX, Form

T = TypeVar("T")

UNTESTED = "untested"
"""The field of the button that saves without a test."""

_MAX_ROWS = 32
_BLANK_ROWS = 2
_MAX_NAMED_TOOLS = 20
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_MAX_DEFAULT_NAME = 60


class Row:
    """The names of the fields of one header."""

    def __init__(self, number: int) -> None:
        self.number = number + 1
        self.header = f"header.{number}"
        self.secret = f"header_secret.{number}"
        self.value = f"{SECRET_PREFIX}header.{number}"


def values_of(server: McpServer | None) -> dict[str, str]:
    """Returns the values of the form for a server, as text by field; all are empty without one."""
    if server is None:
        return {"mcp_name": "", "mcp_url": "", "mcp_tools": ""}
    values = {"mcp_name": server.name, "mcp_url": server.url, "mcp_tools": ", ".join(server.tools)}
    for number, (header, secret) in enumerate(server.headers.items()):
        values |= {Row(number).header: header, Row(number).secret: secret}
    return values


def typed_values(form: Form) -> dict[str, str]:
    """Returns the values as typed, by field."""
    rows = [name for row in _rows_in(form) for name in (row.header, row.secret)]
    return form.shown(["mcp_name", "mcp_url", "mcp_tools", *rows])


def shown_rows(values: Mapping[str, str]) -> tuple[list[Row], list[Row]]:
    """Returns the rows of headers that have values, and blank ones for more."""
    filled = [row for row in map(Row, range(_MAX_ROWS)) if values.get(row.header) or values.get(row.secret)]
    used = filled[-1].number if filled else 0
    rows = [Row(number) for number in range(min(used + _BLANK_ROWS, _MAX_ROWS))]
    first = max(used, 1)
    return rows[:first], rows[first:]


def labels() -> dict[str, str]:
    """Returns the labels of the fields."""
    found = {"mcp_name": "Name", "mcp_url": "URL", "mcp_tools": "Tools"}
    for row in map(Row, range(_MAX_ROWS)):
        found |= {
            row.header: f"Header {row.number}",
            row.value: f"Value {row.number}",
            row.secret: f"Secret {row.number}",
        }
    return found


def change_in(form: Form, instance: Instance, *, stored: McpServer | None, replaces: str | None) -> McpServerChange:
    """Returns the change that the form describes; its errors are recorded in the form.

    Args:
        form: The form.
        instance: The instance, for the names of its secrets.
        stored: The server as stored; None for one to add, and for one that is gone.
        replaces: The name of the server to replace; None for one to add.
    """
    name = _parse(form, "mcp_name", check_mcp_name) or ""
    url = _parse(form, "mcp_url", check_mcp_url)
    tools = _tools_in(form.text("mcp_tools"), stored)
    _parse(form, "mcp_tools", lambda _: check_mcp_tools(tools))
    reader = _HeaderReader(form, instance, stored, name=name, url=url)
    for row in _rows_in(form):
        reader.read(row)
    server = McpServer(name=name, url=url or "", headers=reader.headers, tools=tools)
    return McpServerChange(server=server, replaces=replaces, adds=replaces is None, secrets=reader.secrets)


def record_check(form: Form, check: McpServerCheck) -> None:
    """Records what a test found wrong as errors of the form."""
    if check.problem is not None:
        form.errors["mcp_url"] = check.problem
    elif check.unknown_tools:
        names = [tool.name for tool in check.tools[:_MAX_NAMED_TOOLS]]
        more = ", …" if len(check.tools) > _MAX_NAMED_TOOLS else ""
        unknown = ", ".join(check.unknown_tools)
        form.errors["mcp_tools"] = f"The server has no tool called {unknown}. It has: {', '.join(names)}{more}"


def ask_again(form: Form) -> None:
    """Records in a form with errors that the values of its headers must be entered again."""
    for row in _rows_in(form):
        if form.raw(row.value):
            form.errors.setdefault(row.value, "Enter the value again: it isn’t kept")


def _rows_in(form: Form) -> Iterator[Row]:
    return (row for row in map(Row, range(_MAX_ROWS)) if row.header in form)


def _parse(form: Form, name: str, parse: Callable[[str], T], text: str | None = None) -> T | None:
    """Returns the parsed value, or None after recording the error as a sentence of its own."""
    try:
        return parse(form.text(name) if text is None else text)
    except InvalidInputError as error:
        begins_with_word = error.message.split(" ", 1)[0].isalpha()
        form.errors[name] = error.message[:1].upper() + error.message[1:] if begins_with_word else error.message
        return None


def _tools_in(text: str, stored: McpServer | None) -> tuple[str, ...]:
    """Returns the names, which are separated by commas or blanks; a stored name may contain commas itself."""
    known = {ALL_TOOLS} if stored is None else {*stored.tools}
    names: list[str] = []
    for word in text.split():
        names += [word.rstrip(",")] if word.rstrip(",") in known else word.split(",")
    return tuple(dict.fromkeys(filter(None, names)))


class _HeaderReader:
    """Collects the headers of the form's rows, and the values to store; errors are recorded in the form."""

    def __init__(self, form: Form, instance: Instance, stored: McpServer | None, *, name: str, url: str | None) -> None:
        self._form = form
        self._instance = instance
        self._own_secrets = () if stored is None else tuple(stored.headers.values())
        self._name = name
        self._origin = None if url is None or form.text(UNTESTED) else origin_of(url)
        self.headers: dict[str, SecretName] = {}
        self.secrets: dict[str, str] = {}

    def read(self, row: Row) -> None:
        """Adds the header of a row; one without a name is left out."""
        header, secret, value = self._form.text(row.header), self._form.text(row.secret), self._form.raw(row.value)
        if not header:
            if value or (secret and secret not in self._own_secrets):
                self._form.errors[row.header] = "Name the header, for example Authorization"
        elif header.lower() in {known.lower() for known in self.headers}:
            self._form.errors[row.header] = "This header is there already"
        elif not secret and not value:
            self._form.errors[row.value] = "Enter the header’s value, or name the secret that has it"
        elif _parse(self._form, row.header, check_mcp_header):
            self._add(row, header, secret or self._default_name(header), value)

    def _add(self, row: Row, header: str, secret: str, value: str) -> None:
        name = _parse(self._form, row.secret, check_header_secret, secret)
        if name is None:
            return
        self.headers[header] = name
        if value:
            _parse(self._form, row.value, lambda text: parse_secret_value(name, text), value)
            self.secrets[name] = value
        elif self._origin is not None:
            self._require_stored(row, name)

    def _require_stored(self, row: Row, secret: SecretName) -> None:
        """Records an error if the test could only find that the secret can't be sent."""
        found = self._instance.secrets.get(secret)
        if secret in self.secrets:
            return
        if found is None:
            self._form.errors[row.value] = f"There is no secret called {secret} yet: enter its value"
        elif found.origin != self._origin:
            self._form.errors[row.value] = f"{secret} was entered for another address: enter it again"

    def _default_name(self, header: str) -> str:
        base = _NOT_IN_NAMES.sub("_", f"{self._name}_{header}".lower()).strip("_")[:_MAX_DEFAULT_NAME]
        taken = {*self._instance.secrets, *self.headers.values()}
        names = (base, *(f"{base}_{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)
