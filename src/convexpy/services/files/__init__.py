"""Stored files: their bytes in a blob store, their documents in the database, uploads and downloads."""
