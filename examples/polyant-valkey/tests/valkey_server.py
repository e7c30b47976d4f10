"""A server of Debian's package on a free port, which keeps every write on the disk."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

_START_SECONDS = 60


class ValkeyServer:
    def __init__(self, folder: Path) -> None:
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        assert program is not None, "install valkey-server or redis-server"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        options = {"--port": str(self._port), "--bind": "127.0.0.1", "--dir": str(folder), "--save": ""}
        durable = {"--appendonly": "yes", "--appendfsync": "always"}
        self._command = [program, *(word for pair in {**options, **durable}.items() for word in pair)]
        self._process: subprocess.Popen[bytes]

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while not self._responds():
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _responds(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
