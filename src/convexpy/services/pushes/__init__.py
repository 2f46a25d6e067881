"""Pushes: from the texts of modules to a live version, all or nothing."""
