"""A rate limiter for Polyant on Valkey or Redis."""
