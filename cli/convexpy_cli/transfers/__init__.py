"""`convexpy import`, `export` and `backup`."""
