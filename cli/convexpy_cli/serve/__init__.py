"""`convexpy serve`: run a production server."""

DATABASE = "CONVEXPY_DATABASE_URL"
"""The variable that tells the server where its database is: it may have a password, which no command line shows."""
