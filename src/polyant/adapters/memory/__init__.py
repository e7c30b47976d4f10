"""Adapters that keep all data in the process, for tests and single workers."""
