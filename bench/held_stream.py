"""Streams that are opened and kept open."""

import asyncio
import socket

from bench.jobs import Hold
from bench.requests import chat, messages_of

END_OF_CHUNKS = b"\r\n0\r\n\r\n"
_MAX_READ_BYTES = 65_536


class HeldStream:
    """A stream that is kept open, and read at the job's rate if it has one."""

    def __init__(self, job: Hold) -> None:
        self._job = job
        self._request = chat(job.model, "10.0.0.1", key=job.key, stream=True, messages=messages_of(1))
        self.is_open = False
        self.has_begun = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Closes the connection."""
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            if self._job.bytes_per_second:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            await loop.sock_connect(connection, ("127.0.0.1", self._job.port))
            await loop.sock_sendall(connection, self._request)
            try:
                await self._read_stream(connection)
            finally:
                self.is_open = False
                self.has_begun.set()

    async def _read_stream(self, connection: socket.socket) -> None:
        loop, rate = asyncio.get_running_loop(), self._job.bytes_per_second
        data = await loop.sock_recv(connection, rate or _MAX_READ_BYTES)
        self.is_open = data.startswith(b"HTTP/1.1 200")
        while data and not data.endswith(END_OF_CHUNKS):
            self.has_begun.set()
            await asyncio.sleep(1 if rate else 0)
            data = await loop.sock_recv(connection, rate or _MAX_READ_BYTES)
