"""Tools of MCP servers, through the official package; instances with a server need the extra `polyant[mcp]`."""
