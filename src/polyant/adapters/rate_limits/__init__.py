"""The limits of callers."""
