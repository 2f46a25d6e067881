"""Admin keys: created, listed, rotated and revoked."""
