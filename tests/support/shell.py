"""Shell scripts whose `polyant` runs in forks of the launcher: Python's imports are most of the cost of a command."""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from support import launching
from support.process import POLYANT

_CLIENT = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as control:
    control.connect(sys.argv[1])
    request = [os.getcwd(), *sys.argv[2:], "", *(f"{name}={value}" for name, value in os.environ.items())]
    socket.send_fds(control, [chr(0).join(request).encode()], [0, 1, 2])
    control.shutdown(socket.SHUT_WR)
    code = int(control.makefile().read())
sys.exit(code if code >= 0 else 128 - code)
"""


@contextlib.contextmanager
def polyant_command() -> Iterator[str]:
    """Yields what a script writes instead of `polyant`; arguments, folder, environment and streams are the script's."""
    with launching.temporary_folder("polyant-shell-") as folder, socket.socket(socket.AF_UNIX) as listener:
        (folder / "client.py").write_text(_CLIENT)
        listener.bind(str(folder / "socket"))
        listener.listen()
        accepting = threading.Thread(target=_accept, args=(listener,), daemon=True)
        accepting.start()
        try:
            yield f"{sys.executable} -I -S {folder}/client.py {folder}/socket"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the listener was shut down
            return
        threading.Thread(target=_run, args=(connection,), daemon=True).start()


def _run(connection: socket.socket) -> None:
    """Runs the requested command and returns its exit code to the client."""
    with connection:
        request, descriptors, _, _ = socket.recv_fds(connection, 65_536, 3)
        while piece := connection.recv(65_536):
            request += piece
        folder, *rest = request.decode().split("\0")
        end = len(rest) - 1 - rest[::-1].index("")
        arguments, variables = rest[:end], rest[end + 1 :]
        stdin, stdout, stderr = descriptors
        try:
            process = launching.start(
                (*POLYANT, *arguments),
                cwd=Path(folder),
                env=dict(variable.partition("=")[::2] for variable in variables),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        connection.sendall(str(process.wait()).encode())
