"""Tools of MCP servers, through the official package; needs the extra `polyant[mcp]` once an instance has a server."""
