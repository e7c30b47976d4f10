"""Adapters that keep data in files of a folder."""
