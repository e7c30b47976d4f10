"""Puts load on a server over keep-alive connections and reports what came back, as JSON on standard output.

python bench/load.py PORT --connections 16 --requests 2000 [--stream] [--history 1] [--key sk-…]
"""

import argparse
import asyncio
import json
import time

import uvloop


class Worker:
    """One connection that sends request after request."""

    def __init__(self, args: argparse.Namespace, requests: list[bytes], left: list[int]) -> None:
        self._args = args
        self._requests = requests
        self._left = left
        self.first_byte: list[float] = []
        self.gaps: list[float] = []
        self.failures = 0

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._args.port, limit=2**20)
        while self._left[0] > 0:
            self._left[0] -= 1
            writer.write(self._requests[self._left[0] % len(self._requests)])
            await self._read(reader)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        started = time.perf_counter()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head[:20]:
            self.failures += 1
        if b"content-length:" in head:
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
            self.first_byte.append(time.perf_counter() - started)
            return
        last = None
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
            now = time.perf_counter()
            if last is None:
                self.first_byte.append(now - started)
            else:
                self.gaps.append(now - last)
            last = now
        await reader.readline()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--model", default="demo-bot")
    parser.add_argument("--history", type=int, default=1)
    parser.add_argument("--addresses", type=int, default=1_000, help="callers, by X-Forwarded-For [1000]")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--key", default="")
    args = parser.parse_args()
    left = [args.requests]
    requests = [_request(args, f"10.0.{number // 256}.{number % 256}") for number in range(args.addresses)]
    workers = [Worker(args, requests, left) for _ in range(args.connections)]
    await asyncio.gather(*(worker.run() for worker in workers))
    first = sorted(seconds for worker in workers for seconds in worker.first_byte)
    gaps = sorted(seconds for worker in workers for seconds in worker.gaps)
    print(
        json.dumps(
            {
                "failures": sum(worker.failures for worker in workers),
                "first_byte_ms": {"p50": _at(first, 0.5), "p99": _at(first, 0.99)},
                "gap_ms": {"p50": _at(gaps, 0.5), "p99": _at(gaps, 0.99)} if gaps else None,
            }
        )
    )


def _request(args: argparse.Namespace, address: str) -> bytes:
    turns = [{"role": ("user", "assistant")[number % 2], "content": "x" * 200} for number in range(args.history - 1)]
    body = json.dumps(
        {"model": args.model, "stream": args.stream, "messages": [*turns, {"role": "user", "content": "Hello!"}]}
    ).encode()
    key = f"Authorization: Bearer {args.key}\r\n" if args.key else ""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: {address}\r\n{key}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000, 2) if ordered else 0.0


if __name__ == "__main__":
    uvloop.run(main())
