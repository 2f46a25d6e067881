"""`convexpy deploy`: push to a shared deployment."""
