"""What differs between two apps, or two schemas: the one comparison that pushes, plans and `schema diff` show."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from convexpy.protocol.app_description import (
    AppDescription,
    CronDescription,
    FunctionDescription,
    IndexDescription,
    RouteDescription,
    SchemaDescription,
    TableDescription,
)

T = TypeVar("T")
ChangeKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Change(Generic[T]):
    """Something that two apps do not have alike; `before` or `after` is None where it does not exist."""

    name: str
    before: T | None
    after: T | None

    @property
    def kind(self) -> ChangeKind:
        """Whether it was added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def compare(
    before: Mapping[str, T], after: Mapping[str, T], same: Callable[[T, T], bool] = operator.eq
) -> list[Change[T]]:
    """Return what differs between two mappings, sorted by name."""
    found = [Change(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]
    return [
        each
        for each in found
        if each.before is None or each.after is None or not same(each.before, each.after)
    ]


@dataclass(frozen=True)
class SchemaChanges:
    """How two schemas differ. A changed table has another validator; indexes are named `table.index`."""

    before: SchemaDescription | None
    after: SchemaDescription | None
    tables: list[Change[TableDescription]]
    indexes: list[Change[IndexDescription]]
    flags: list[Change[bool]]
    """`schemaValidation` and `strictTableNames`, where both schemas exist."""

    @property
    def new_indexes(self) -> list[tuple[str, IndexDescription]]:
        """Indexes to build, with their tables: those that did not exist with these fields."""
        return [
            (each.name.partition(".")[0], each.after)
            for each in self.indexes
            if each.after is not None and (each.before is None or each.before.fields != each.after.fields)
        ]

    @property
    def dropped_indexes(self) -> list[tuple[str, IndexDescription]]:
        """Indexes that no longer exist with the fields they had, with their tables."""
        return [
            (each.name.partition(".")[0], each.before)
            for each in self.indexes
            if each.before is not None and (each.after is None or each.before.fields != each.after.fields)
        ]

    @property
    def tables_to_check(self) -> list[str]:
        """The tables whose stored documents may violate the new schema, in its order."""
        if self.after is None or not self.after.schema_validation:
            return []
        if self.before is None or not self.before.schema_validation:
            return list(self.after.tables)
        changed = {each.name for each in self.tables}
        return [name for name in self.after.tables if name in changed]

    @property
    def needs_build(self) -> bool:
        """Whether tables or indexes have to be made, or stored documents checked."""
        kinds = {each.kind for each in self.tables} | {each.kind for each in self.indexes}
        return self.after is not None and (
            self.before is None or bool(self.tables_to_check) or bool(kinds - {"removed"})
        )


def schema_changes(before: SchemaDescription | None, after: SchemaDescription | None) -> SchemaChanges:
    """Compare two schemas; None is an app without one."""
    old, new = before or SchemaDescription(), after or SchemaDescription()
    return SchemaChanges(
        before,
        after,
        compare(old.tables, new.tables, lambda one, other: one.validator == other.validator),
        compare(_indexes(old), _indexes(new)),
        [] if before is None or after is None else compare(_flags(old), _flags(new)),
    )


def _indexes(schema: SchemaDescription) -> dict[str, IndexDescription]:
    return {f"{name}.{each.name}": each for name, table in schema.tables.items() for each in table.indexes}


def _flags(schema: SchemaDescription) -> dict[str, bool]:
    return {"schemaValidation": schema.schema_validation, "strictTableNames": schema.strict_table_names}


@dataclass(frozen=True)
class AppChanges:
    """How two apps differ. Functions are compared as callers see them, cron jobs by what runs when."""

    functions: list[Change[FunctionDescription]]
    schema: SchemaChanges
    crons: list[Change[CronDescription]]
    routes: list[Change[RouteDescription]]
    auth: bool


def app_changes(before: AppDescription, after: AppDescription) -> AppChanges:
    """Compare two apps."""
    return AppChanges(
        compare(
            {each.path: each for each in before.functions},
            {each.path: each for each in after.functions},
            FunctionDescription.same_interface,
        ),
        schema_changes(before.schema, after.schema),
        compare(
            {each.name: each for each in before.crons},
            {each.name: each for each in after.crons},
            CronDescription.same_job,
        ),
        compare(_routes(before), _routes(after), lambda one, other: True),
        before.auth != after.auth,
    )


def _routes(app: AppDescription) -> dict[str, RouteDescription]:
    return {f"{each.method} {each.pattern}": each for each in app.http}
