"""Reads skills from folders in the Agent Skills format: https://agentskills.io/specification."""
