"""Fills the turn log from what observers are told."""
