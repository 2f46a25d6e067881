"""`convexpy doctor`: what may be wrong, each thing by a check of its own."""
