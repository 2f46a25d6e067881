"""The processes that import app code and read foreign files: nothing here runs in the server."""
