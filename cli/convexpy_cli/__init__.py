"""The `convexpy` command line. It reaches a deployment only as a client: over HTTP and WebSocket."""
