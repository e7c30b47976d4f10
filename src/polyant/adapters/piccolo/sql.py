"""SQL that several repositories share."""

import re

from piccolo.querystring import QueryString

from polyant.adapters.piccolo.database import PiccoloDatabase

NO_LIMIT = 2**63 - 1
"""The value of LIMIT for an unlimited query; SQLite supports OFFSET only after LIMIT."""


def escape_like(text: str) -> str:
    """Returns a LIKE pattern that matches the text literally, for use with ESCAPE '!'."""
    return re.sub("[!%_]", r"!\g<0>", text)


def by_code_point(database: PiccoloDatabase, column: str) -> QueryString:
    """Returns an ORDER BY expression that sorts a text column by code points.

    On PostgreSQL, the default order depends on the database's collation.
    """
    return QueryString(f'{column} COLLATE "C"' if database.dialect == "postgres" else column)
