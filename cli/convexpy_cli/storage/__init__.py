"""`convexpy storage`: stored files."""
