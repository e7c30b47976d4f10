"""Replies of a scripted MCP server without discovery, which may break the protocol in ways that a real one can't."""

from collections.abc import Callable
from typing import Any

from support.upstream import Received, Reply, json_reply

_NOTHING = Reply()
INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "scripted", "version": "1"},
}
FIND = {"tools": [{"name": "find", "inputSchema": {"type": "object"}}]}
SESSION = "session-1"


def answering(results: dict[str, Any], *, closing: Reply = _NOTHING) -> Callable[[Received], Reply]:
    """Returns a responder that returns these results by method; a result may be a reply, or a function."""
    results = {"initialize": INITIALIZED, "tools/list": FIND, **results}

    def respond(request: Received) -> Reply:
        if request.method == "DELETE":
            return closing
        if request.method == "GET":
            return Reply(status=405)
        body = request.json()
        if "id" not in body:
            return Reply(status=202)
        if body["method"] not in results:
            return json_reply({"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32601, "message": "Unknown"}})
        result = results[body["method"]]
        if callable(result):
            result = result(request)
        if isinstance(result, Reply):
            return result
        return result_reply(request, result)

    return respond


def result_reply(request: Received, result: object, *, session: str = SESSION) -> Reply:
    """Returns the reply with a result."""
    document = {"jsonrpc": "2.0", "id": request.json()["id"], "result": result}
    return json_reply(document, headers={"Mcp-Session-Id": session})
