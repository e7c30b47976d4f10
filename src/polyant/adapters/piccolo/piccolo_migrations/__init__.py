"""The migrations, named and run in the order of their ids; they only add (see docs/adr)."""
