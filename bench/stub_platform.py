"""A stub of Telegram's Bot API that accepts every call.

uvicorn bench.stub_platform:app --port PORT
"""

import json
from typing import Any

_RESULT = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}
_BODY = json.dumps({"ok": True, "result": _RESULT}).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def app(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})
