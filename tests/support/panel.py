"""A browser without JavaScript: it keeps the session cookie, follows no redirect, and posts forms as pages do."""

from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from support.app import App
from support.asgi import Response
from support.management import PASSWORD

ORIGIN = "http://panel.example"
FORM = "application/x-www-form-urlencoded"

Fields = Mapping[str, str] | Iterable[tuple[str, str]]


class PageReader(HTMLParser):
    """The fields and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        """The values of all inputs, by name; only checked ones count."""
        self.types: dict[str, str] = {}
        self.links: list[str] = []
        self.text = ""
        self._area = ""
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        match tag:
            case "input":
                self.types[name] = given.get("type", "text")
                if self.types[name] not in {"checkbox", "radio"} or "checked" in given:
                    self.values[name] = given.get("value", "on" if self.types[name] == "checkbox" else "")
            case "textarea":
                self.values[name], self._area = "", name
            case "select":
                self._select = name
            case "option":
                if "selected" in given or self._select not in self.values:
                    self.values[self._select] = given.get("value", "")
            case "a":
                self.links.append(given.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.values[self._area] = self.values[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data
        else:
            self.text += data


class Browser:
    """A browser on the panel of an application."""

    def __init__(
        self, app: App, *, server: tuple[str, int] = ("198.51.100.1", 4000), host: str = "panel.example"
    ) -> None:
        self._app = app
        self._server = server
        self._host = host
        self.cookie: str | None = None

    async def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> Response:
        """Signs in through the form."""
        return await self.post("/login", {"email": email, "secret.password": password, "next": "/instances"})

    async def get(self, target: str) -> Response:
        """Returns the page at that path and query."""
        return self._kept(await self._app.request("GET", target, headers=self._headers(), server=self._server))

    async def page(self, target: str) -> PageReader:
        """Returns the content of a page that exists."""
        response = await self.get(target)
        assert response.status == 200, response.status
        return read(response)

    async def post(self, target: str, fields: Fields, *, origin: str | None = "", **headers: str) -> Response:
        """Posts a form."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        return await self.post_body(target, urlencode(pairs).encode(), FORM, origin=origin, **headers)

    async def post_body(
        self, target: str, body: bytes, content_type: str, *, origin: str | None = "", **headers: str
    ) -> Response:
        """Posts a body of any type."""
        own = f"http://{self._host}" if origin == "" else origin
        given = {"content-type": content_type, **({} if own is None else {"origin": own}), **headers}
        all_headers = {**self._headers(), **given}
        return self._kept(await self._app.request("POST", target, body=body, headers=all_headers, server=self._server))

    def _headers(self) -> dict[str, str]:
        cookie = {} if self.cookie is None else {"cookie": self.cookie}
        return {"host": self._host, **cookie}

    def _kept(self, response: Response) -> Response:
        for name, value in response.headers:
            if name == "set-cookie":
                cookie, _, attributes = value.partition(";")
                self.cookie = None if "Max-Age=0" in attributes else cookie
        return response


def read(response: Response) -> PageReader:
    """Returns the content of a page."""
    assert response.header("content-type") == "text/html; charset=utf-8"
    return PageReader(response.body.decode())


def location(response: Response) -> Any:
    """Returns the target of a redirect after a form."""
    assert response.status == 303, (response.status, response.body)
    return response.header("location")
