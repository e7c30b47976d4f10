"""What more than one repository says in SQL."""

import re

from piccolo.querystring import QueryString

from polyant.adapters.piccolo.database import PiccoloDatabase

NO_LIMIT = 2**63 - 1
"""For LIMIT; SQLite knows OFFSET after one only."""


def literal(text: str) -> str:
    """Returns a LIKE pattern, to be used with ESCAPE '!', that finds just the text."""
    return re.sub("[!%_]", r"!\g<0>", text)


def in_code_order(database: PiccoloDatabase, column: str) -> QueryString:
    """Returns what to order by so that the texts of the column come in the order of their characters' codes.

    Each database of PostgreSQL has its own idea of the alphabet.
    """
    return QueryString(f'{column} COLLATE "C"' if database.dialect == "postgres" else column)
