"""Adapters for the machine: clock, randomness, time zones, resource limits."""
