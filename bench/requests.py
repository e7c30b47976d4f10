"""The requests of a load, as bytes."""

from collections.abc import Mapping
from itertools import cycle, islice

import msgspec

from bench.bare_webhook import SIGNATURE, signature_of
from bench.jobs import Load
from bench.webhooks import delivery_of


def requests_of(job: Load) -> list[bytes]:
    """Returns the requests of a load, with each model and each address at least once."""
    addresses = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(job.addresses)]
    if job.deliveries_from is not None:
        numbers = range(job.deliveries_from, job.deliveries_from + job.requests + job.connections)
        return [_delivery(job, number, addresses[number % len(addresses)]) for number in numbers]
    if not job.models:
        return [_head(f"GET {job.path}", address, key=job.key, headers=job.headers) for address in addresses]
    count = max(len(job.models), len(addresses), job.chats)
    messages = messages_of(job.history)
    pairs = islice(zip(cycle(job.models), cycle(addresses), strict=False), count)
    chat_ids = cycle(map(chat_id_of, range(job.chats))) if job.chats else cycle([""])
    return [
        chat(model, address, key=job.key, stream=job.stream, messages=messages, headers=job.headers, chat_id=chat_id)
        for (model, address), chat_id in zip(pairs, chat_ids, strict=False)
    ]


def _delivery(job: Load, number: int, address: str) -> bytes:
    body = delivery_of(number)
    headers = {**job.headers, SIGNATURE: signature_of(body)}
    return _head(f"POST {job.path}", address, key="", length=len(body), headers=headers) + body


def chat_id_of(number: int) -> str:
    """Returns the `chat_id` of a stored conversation."""
    return f"chat-{number}"


def chat(
    model: str,
    address: str,
    *,
    key: str,
    stream: bool,
    messages: str,
    headers: Mapping[str, str] | None = None,
    chat_id: str = "",
) -> bytes:
    """Returns a chat request to that model from a caller at that address."""
    streamed = '"stream":true,' if stream else ""
    continued = f'"chat_id":"{chat_id}",' if chat_id else ""
    body = f'{{"model":"{model}",{streamed}{continued}"messages":{messages}}}'.encode()
    what = "POST /v1/chat/completions"
    return _head(what, address, key=key.replace("{model}", model), length=len(body), headers=headers) + body


def _head(what: str, address: str, *, key: str, length: int = 0, headers: Mapping[str, str] | None = None) -> bytes:
    lines = (
        f"{what} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"X-Forwarded-For: {address}",
        *([f"Authorization: Bearer {key}"] if key else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
        f"Content-Length: {length}",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def messages_of(history: int) -> str:
    """Returns the messages of a conversation as JSON, each of 200 bytes except for a short last one."""
    turns = [{"role": ("user", "assistant")[number % 2], "content": "x" * 200} for number in range(history - 1)]
    return msgspec.json.encode([*turns, {"role": "user", "content": "Hello!"}]).decode()
