"""`convexpy deployment`, `login`, `logout` and `status`: which deployment, and how it is."""
