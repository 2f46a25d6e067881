"""`convexpy dev`, `codegen` and `typecheck`: local development."""
