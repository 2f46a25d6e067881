"""`convexpy shell`: a Python prompt on a deployment."""
