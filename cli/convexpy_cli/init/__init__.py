"""`convexpy init`: create a project, or adopt a folder."""
