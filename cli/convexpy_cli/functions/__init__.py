"""`convexpy functions` and `run`: describing functions and calling them."""
