"""The built-in tools: current time, exact arithmetic, HTTP requests to the public internet, sub-agents."""
