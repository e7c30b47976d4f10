"""The default Supervisor."""
