"""What differs between two schemas and two apps, and what a push has to do about it."""

from __future__ import annotations

import msgspec

from convexpy import define_schema, define_table, v
from convexpy.protocol.app_description import (
    AppDescription,
    CronDescription,
    FunctionDescription,
    RouteDescription,
)
from convexpy.schema.changes import app_changes, compare, schema_changes


def test_tables_and_indexes() -> None:
    old = define_schema(
        a=define_table(x=v.string(), y=v.string())
        .index("same", ["x"])
        .index("gone", ["x"])
        .index("other", ["x"])
        .index("later", ["y"], staged=True),
        b=define_table(x=v.string()),
    )
    new = define_schema(
        a=define_table(x=v.string(), y=v.string())
        .index("same", ["x"])
        .index("other", ["y"])
        .index("new", ["x"])
        .index("later", ["y"]),
        c=define_table(x=v.string()),
    )
    found = schema_changes(old.describe(), new.describe())
    assert [(each.name, each.kind) for each in found.tables] == [("b", "removed"), ("c", "added")]
    assert [(each.name, each.kind) for each in found.indexes] == [
        ("a.gone", "removed"), ("a.later", "changed"), ("a.new", "added"), ("a.other", "changed"),
    ]  # fmt: skip
    # An index with other fields is built and dropped; one that is only no longer staged is neither.
    assert [(table, each.name, each.fields) for table, each in found.new_indexes] == [
        ("a", "new", ("x",)), ("a", "other", ("y",)),
    ]  # fmt: skip
    assert [(table, each.name, each.fields) for table, each in found.dropped_indexes] == [
        ("a", "gone", ("x",)), ("a", "other", ("x",)),
    ]  # fmt: skip
    assert found.tables_to_check == ["c"]
    assert found.needs_build


def test_which_documents_have_to_be_checked() -> None:
    tables = {"a": define_table(x=v.string()), "b": define_table(v.any())}
    loose = define_schema(tables, schema_validation=False).describe()
    strict = define_schema(tables).describe()
    wider = define_schema({**tables, "a": define_table(x=v.optional(v.string()))}).describe()
    assert schema_changes(loose, strict).tables_to_check == ["a", "b"]
    assert schema_changes(None, strict).tables_to_check == ["a", "b"]
    assert schema_changes(strict, wider).tables_to_check == ["a"]
    for before, after in ((strict, loose), (strict, None), (None, None), (strict, strict)):
        assert schema_changes(before, after).tables_to_check == []
        assert not schema_changes(before, after).needs_build
    assert schema_changes(strict, loose).flags[0].name == "schemaValidation"
    assert schema_changes(None, loose).flags == []


def test_removing_an_index_needs_no_look_at_documents() -> None:
    table = define_table(x=v.string())
    before, after = define_schema(a=table.index("i", ["x"])), define_schema(a=table)
    found = schema_changes(before.describe(), after.describe())
    assert [each.name for each in found.indexes] == ["a.i"]
    assert not found.needs_build


def test_functions_routes_and_cron_jobs() -> None:
    function = FunctionDescription(path="a:b", kind="query", visibility="public", line=1)
    cron = CronDescription(name="c", schedule={"type": "interval", "seconds": 5}, function="a:b", args={})
    route = RouteDescription(method="GET", path="/x")
    before = AppDescription(functions=(function,), crons=(cron,), http=(route,))
    moved = AppDescription(
        functions=(msgspec.structs.replace(function, line=9, doc="more"),),
        crons=(msgspec.structs.replace(cron, line=9),),
        http=(msgspec.structs.replace(route, line=9),),
    )
    found = app_changes(before, moved)
    assert (found.functions, found.crons, found.routes, found.auth) == ([], [], [], False)
    other = AppDescription(
        functions=(msgspec.structs.replace(function, visibility="internal"),),
        crons=(msgspec.structs.replace(cron, args={"n": 1}),),
        http=(RouteDescription(method="GET", path_prefix="/x/"),),
    )
    found = app_changes(before, other)
    assert [each.kind for each in (*found.functions, *found.crons)] == ["changed", "changed"]
    assert [(each.name, each.kind) for each in found.routes] == [
        ("GET /x", "removed"), ("GET /x/*", "added"),
    ]  # fmt: skip


def test_false_is_a_value_like_another() -> None:
    assert [each.kind for each in compare({"a": False}, {"a": True})] == ["changed"]
