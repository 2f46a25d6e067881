"""`convexpy schema`: show, compare, check and infer schemas."""
