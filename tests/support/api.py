"""A client of the management API."""

from typing import Any

import msgspec

from support.app import App
from support.asgi import Response


class Api:
    """Calls the API with one session token, or without authentication.

    Args:
        app: The application under test.
        token: The session token, or None to send no `Authorization` header.
    """

    def __init__(self, app: App, token: str | None) -> None:
        self.app = app
        self.token = token

    async def __call__(
        self, method: str, path: str, body: Any = msgspec.UNSET, *, client: str = "203.0.113.7", **headers: str
    ) -> Response:
        """Returns the response. A body is sent as JSON, bytes unchanged."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given.setdefault("authorization", f"Bearer {self.token}")
        content = b""
        if body is not msgspec.UNSET:
            given.setdefault("content-type", "application/json")
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.app.request(method, f"/api{path}", body=content, headers=given, client=(client, 50_000))

    async def get(self, path: str, **headers: str) -> Response:
        return await self("GET", path, **headers)

    async def post(self, path: str, body: Any = msgspec.UNSET, **headers: str) -> Response:
        return await self("POST", path, body, **headers)

    async def patch(self, path: str, body: Any, **headers: str) -> Response:
        return await self("PATCH", path, body, **headers)

    async def put(self, path: str, body: Any, **headers: str) -> Response:
        return await self("PUT", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> Response:
        return await self("DELETE", path, **headers)

    async def succeed(self, method: str, path: str, body: Any = msgspec.UNSET, **headers: str) -> Any:
        """Returns the JSON body of the response, whose status must be 200 or 201."""
        response = await self(method, path, body, **headers)
        assert response.status in {200, 201}, response.body
        return response.json
