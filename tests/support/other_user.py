"""Runs `polyant` as a user that isn't the owner of the data: root ignores the mode of files.

Everything is imported before the user changes, because the interpreter may be in a folder of root.
"""

import importlib
import importlib.metadata
import os
import sys

from polyant.cli.main import main

NOBODY = 65_534

_IMPORTED_LATER = ("pwd", "polyant.cli.server", "polyant.bootstrap", "uvicorn.loops.uvloop", "encodings.idna")

if __name__ == "__main__":
    for name in _IMPORTED_LATER:
        importlib.import_module(name)
    for point in importlib.metadata.distribution("polyant").entry_points:
        if ".mcp." not in point.value:
            point.load()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    main(sys.argv[1:])
