"""Assistants, access rules and turns; this package depends only on the standard library and msgspec."""
