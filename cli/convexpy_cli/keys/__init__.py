"""`convexpy keys`: admin keys."""
