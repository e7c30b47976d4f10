"""Polyant serves configured AI assistants as models of an OpenAI-compatible API."""

__version__ = "0.1.0"
