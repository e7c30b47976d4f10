"""Records turns in the turn log."""
