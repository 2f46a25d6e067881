"""Imports, exports and backups of a whole deployment."""
