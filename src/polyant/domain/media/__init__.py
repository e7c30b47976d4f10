"""Images, audio and documents in messages: their parts, the checks of their content, and their place in a turn."""
