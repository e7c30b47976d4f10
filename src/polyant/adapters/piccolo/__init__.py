"""The database, through Piccolo: one set of tables and migrations for SQLite and PostgreSQL."""

MAX_CONNECTIONS = 10
"""How many connections to PostgreSQL one worker has at most, unless the operator decides otherwise."""
