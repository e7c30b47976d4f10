"""Use cases: the actions of callers and operators, one per file."""
