"""The schema: what an app defines, the check of documents against it, and what changes between two."""

from convexpy.schema._definitions import TableDefinition, define_table, is_identifier
from convexpy.schema._schema import Schema, define_schema, load_schema

__all__ = ["Schema", "TableDefinition", "define_schema", "define_table", "is_identifier", "load_schema"]
