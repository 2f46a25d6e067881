"""The schema: what an app defines, the check of documents against it, and what changes between two."""

from convexpy.schema._definitions import (
    Index,
    IndexDefinition,
    SearchIndexDefinition,
    TableDefinition,
    VectorIndexDefinition,
    define_table,
    is_identifier,
)
from convexpy.schema._schema import (
    Schema,
    SchemaChanges,
    TableChanges,
    define_schema,
    load_schema,
    schema_changes,
)

__all__ = [
    "Index",
    "IndexDefinition",
    "Schema",
    "SchemaChanges",
    "SearchIndexDefinition",
    "TableChanges",
    "TableDefinition",
    "VectorIndexDefinition",
    "define_schema",
    "define_table",
    "is_identifier",
    "load_schema",
    "schema_changes",
]
