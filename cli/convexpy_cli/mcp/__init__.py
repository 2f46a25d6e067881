"""`convexpy mcp`: the Model Context Protocol server for coding agents."""
