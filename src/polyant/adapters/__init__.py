"""Adapters for the ports: one package per technology, each independent of the others."""
