"""`convexpy serve`: run a production server."""
