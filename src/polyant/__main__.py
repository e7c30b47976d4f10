"""Runs the command line: `polyant …` or `python -m polyant …`."""

from polyant.cli.main import main

if __name__ == "__main__":
    main()
