"""The schema: what an app defines, the check of documents against it, and what changes between two."""

from convexpy.schema._definitions import (
    TableDefinition as TableDefinition,
    define_table as define_table,
    is_identifier as is_identifier,
)
from convexpy.schema._schema import (
    SYSTEM_TABLE_NUMBERS as SYSTEM_TABLE_NUMBERS,
    Schema as Schema,
    define_schema as define_schema,
    load_schema as load_schema,
)
