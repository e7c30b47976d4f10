"""A ChatModel for Polyant that calls Gemini."""
