"""`convexpy docs`, `version`, `update` and `completion`: about the tool itself."""
