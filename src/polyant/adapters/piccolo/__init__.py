"""The database, through Piccolo: one set of tables and migrations for SQLite and PostgreSQL."""
