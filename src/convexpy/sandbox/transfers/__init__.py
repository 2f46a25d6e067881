"""The processes that read an import and write an export."""
