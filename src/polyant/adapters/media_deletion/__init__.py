"""Deletes the media of messages and conversations that a conversation store deletes."""
