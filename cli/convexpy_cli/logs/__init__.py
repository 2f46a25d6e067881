"""`convexpy logs`: read and follow logs."""
