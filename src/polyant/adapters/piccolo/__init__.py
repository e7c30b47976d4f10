"""SQL storage with Piccolo: one set of tables and migrations for SQLite and PostgreSQL."""

MAX_CONNECTIONS = 10
"""The default maximum of PostgreSQL connections per worker."""
