"""`convexpy env`: environment variables of a deployment."""
