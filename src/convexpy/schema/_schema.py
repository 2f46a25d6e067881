"""The schema of an app: its tables, the check of documents, its forms as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, overload

import msgspec

from convexpy.errors import ArgumentError, ProjectError, SchemaViolation, caller_location, did_you_mean
from convexpy.protocol.app_description import AnyIndex, SchemaDescription
from convexpy.schema._definitions import TableDefinition, is_identifier
from convexpy.values import (
    ANY,
    IdValidator,
    ObjectValidator,
    TableNumbers,
    UnionValidator,
    Validator,
    load_validator,
    one_mapping,
    v,
)

SYSTEM_TABLE_NUMBERS = {"_storage": 519, "_scheduled_functions": 520}
"""The system tables whose ids documents may hold, and their numbers in ids, which are the same in every deployment."""
_SYSTEM_FIELDS = ("_id", "_creationTime")


class Schema:
    """The tables of an app. Made by `define_schema` or `load_schema`; immutable."""

    __slots__ = ("_stored", "_tables", "schema_validation", "strict_table_names")

    def __init__(
        self,
        tables: Mapping[str, TableDefinition],
        *,
        schema_validation: bool = True,
        strict_table_names: bool = True,
    ) -> None:
        self._tables = dict(tables)
        self.schema_validation: bool = schema_validation
        self.strict_table_names: bool = strict_table_names
        anything = {name: v.optional(ANY) for name in _SYSTEM_FIELDS}
        # What is stored has system fields; their own checks are the engine's.
        self._stored = {name: _extended(table.validator, anything) for name, table in tables.items()}

    @property
    def tables(self) -> Mapping[str, TableDefinition]:
        """The tables by name, in the order of the schema."""
        return MappingProxyType(self._tables)

    def doc(self, table: str, /) -> ObjectValidator:
        """The validator of a stored document, system fields included; that of a union table has no fields."""
        fields = {"_id": v.id(table), "_creationTime": v.number()}
        validator = _extended(self._table(table).validator, fields)
        return validator if isinstance(validator, ObjectValidator) else _DocumentValidator(validator)

    def id(self, table: str, /) -> Validator:
        """The validator of an id of the table."""
        self._table(table)
        return v.id(table)

    def check_document(self, table: str, doc: Mapping[str, Any], tables: TableNumbers | None) -> None:
        """Raise `SchemaViolation` if the canonical document, with system fields or without, does not fit.

        A table that the schema lacks takes any document, as does every table without schema validation.
        """
        stored = self._stored.get(table)
        if stored is None or not self.schema_validation or stored.fits(doc, tables):
            return
        own = {name: item for name, item in doc.items() if name not in _SYSTEM_FIELDS}
        text = self._tables[table].validator.violation(own, "", tables)
        raise SchemaViolation(
            f'Failed to insert or update a document in table "{table}" '
            f"because it does not match the schema: {text}"
        )

    def check_table(self, table: str) -> None:
        """Raise `ArgumentError` if the schema declares all tables there may be, and not this one."""
        declares_all = self.schema_validation and self.strict_table_names
        if declares_all and table not in self._tables and not table.startswith("_"):
            raise ArgumentError(
                f"There is no table {table!r} in the schema.{did_you_mean(table, self._tables)}",
                code="TableNotFound",
            )

    def has_search_index(self, table: str, index: str) -> bool:
        """Say whether a table declares a search index of this name."""
        found = self._tables.get(table)
        return found is not None and any(each.name == index for each in found.search_indexes)

    def export(self) -> str:
        """Return the schema as the official backend shows it: a JSON string."""
        tables = [_export_table(name, table) for name, table in self._tables.items()]
        return json.dumps({"tables": tables, "schemaValidation": self.schema_validation})

    def describe(self) -> SchemaDescription:
        """Return the schema as data; `load_schema` reads it."""
        tables = {name: table.describe() for name, table in self._tables.items()}
        return SchemaDescription(tables, self.schema_validation, self.strict_table_names)

    def _table(self, name: str) -> TableDefinition:
        if name not in self._tables:
            raise ProjectError(f"the schema has no table {name!r}", location=caller_location())
        return self._tables[name]

    def __repr__(self) -> str:
        return f"Schema({', '.join(self._tables)})"


class _DocumentValidator(ObjectValidator):
    """The document of a table that is not one object: has no fields of its own."""

    __slots__ = ("inner",)

    inner: Validator

    def __init__(self, inner: Validator) -> None:
        super().__init__({}, convert=inner.convert)
        object.__setattr__(self, "inner", inner)
        self._set(inner.fits, inner.convert)

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        return self.inner.violation(value, path, tables)

    def describe(self) -> dict[str, Any]:
        return self.inner.describe()

    def __repr__(self) -> str:
        return repr(self.inner)


@overload
def define_schema(
    tables: Mapping[str, TableDefinition],
    /,
    *,
    schema_validation: bool = ...,
    strict_table_names: bool = ...,
) -> Schema: ...
@overload
def define_schema(
    *, schema_validation: bool = ..., strict_table_names: bool = ..., **tables: TableDefinition
) -> Schema: ...
def define_schema(
    *given: Mapping[str, TableDefinition],
    schema_validation: bool = True,
    strict_table_names: bool = True,
    **tables: TableDefinition,
) -> Schema:
    """Define the schema: tables as one mapping or as keywords.

    Without `schema_validation` documents are not checked; without `strict_table_names` generated types take
    tables that are not in the schema.

    Raises:
        ProjectError: with the place of the table at fault.
    """
    found = one_mapping("define_schema", given, tables)
    for name, table in found.items():
        _check_table(name, table, found)
    return Schema(found, schema_validation=schema_validation, strict_table_names=strict_table_names)


def _check_table(name: str, table: object, tables: Mapping[str, object]) -> None:
    if not isinstance(table, TableDefinition):
        message = f"table {name!r} must be made by define_table, not {table!r}"
        raise ProjectError(message, location=caller_location())
    location = table.location or caller_location()
    if name.startswith("_"):
        raise ProjectError(f"the table name {name!r} is reserved: it starts with _", location=location)
    if not is_identifier(name):
        raise ProjectError(f"{name!r} cannot be the name of a table", location=location)
    for target in _id_tables(table.validator):
        if target not in tables and target not in SYSTEM_TABLE_NUMBERS:
            raise ProjectError(
                f"table {name!r} refers to v.id({target!r}), a table that the schema does not have",
                location=location,
            )


def _id_tables(validator: Validator) -> Iterator[str]:
    """Yield the tables whose ids occur in a validator."""
    if isinstance(validator, IdValidator):
        yield validator.table
    for part in validator.parts:
        yield from _id_tables(part)


def _extended(validator: Validator, fields: Mapping[str, Validator]) -> Validator:
    """Return the validator with fields added to the objects at its top."""
    if isinstance(validator, ObjectValidator):
        return ObjectValidator({**fields, **validator.fields})
    if isinstance(validator, UnionValidator):
        return UnionValidator(tuple(_extended(each, fields) for each in validator.members))
    return validator


def _export_table(name: str, table: TableDefinition) -> dict[str, Any]:
    def chosen(indexes: Sequence[AnyIndex], staged: bool) -> list[dict[str, Any]]:
        described = [msgspec.to_builtins(each) for each in indexes if each.staged == staged]
        for each in described:
            each["indexDescriptor"] = each.pop("name")
            del each["staged"]
            if "fields" in each:
                each["fields"] = [*each["fields"], "_creationTime"]
        return described

    return {
        "tableName": name,
        "indexes": chosen(table.indexes, False),
        "stagedDbIndexes": chosen(table.indexes, True),
        "searchIndexes": chosen(table.search_indexes, False),
        "stagedSearchIndexes": chosen(table.search_indexes, True),
        "vectorIndexes": chosen(table.vector_indexes, False),
        "stagedVectorIndexes": chosen(table.vector_indexes, True),
        "documentType": table.validator.export(),
    }


def load_schema(described: SchemaDescription) -> Schema:
    """Return the schema that `Schema.describe` described; it was checked when it was defined."""
    return Schema(
        {
            name: TableDefinition(
                load_validator(each.validator), (*each.indexes, *each.search_indexes, *each.vector_indexes)
            )
            for name, each in described.tables.items()
        },
        schema_validation=described.schema_validation,
        strict_table_names=described.strict_table_names,
    )
