"""Ports: the interfaces through which the domain uses the outside world, one per file."""
