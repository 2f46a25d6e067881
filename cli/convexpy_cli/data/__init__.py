"""`convexpy data`: tables and documents."""
