"""The migrations, which run in the order of their ids and are additive (see docs/adr)."""
