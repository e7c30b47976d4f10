"""The built-in tools: the time, exact arithmetic, HTTP requests to the public internet, sub-agents."""
