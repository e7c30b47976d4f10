"""Runs the command line: `polyant …` or `python -m polyant …`."""

import threading

from polyant.cli.main import main as run


def main() -> None:
    """Runs the command that the arguments name and exits with its code."""
    threading.excepthook = _report
    run()


def _report(failure: threading.ExceptHookArgs) -> None:
    """Reports what failed in a thread, but for SQLite's when an interrupted command has closed its event loop."""
    if failure.exc_type is not RuntimeError or str(failure.exc_value) != "Event loop is closed":
        threading.__excepthook__(failure)


if __name__ == "__main__":
    main()
