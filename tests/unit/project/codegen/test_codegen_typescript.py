"""Types for front ends: what each validator is in TypeScript, names, trees, and tables."""

from __future__ import annotations

from dataclasses import dataclass, field as default
from pathlib import Path
from typing import Any, Literal, NotRequired

import msgspec
import pytest
from hypothesis import given, strategies as st
from typing_extensions import TypedDict

from convexpy import UNSET, Int64, PaginationOptions, PaginationResult, define_schema, define_table, v
from convexpy.project import open_project
from convexpy.project.codegen import render_files, wants_typescript
from convexpy.project.codegen.typescript._layout import quoted
from convexpy.project.codegen.typescript._types import Types
from convexpy.protocol.app_description import AppDescription, FunctionDescription, SchemaDescription
from convexpy.schema.data_model import DataModel
from convexpy.values import Validator

SCHEMA = define_schema(
    {
        "users": define_table({"name": v.string(), "age": v.optional(v.int())}).index("by_name", ["name"]),
        "events": define_table(
            v.union(
                v.object(kind=v.literal("a"), n=v.number()),
                v.object(kind=v.literal("b"), user=v.object(name=v.string())),
            )
        ).index("by_user", ["user.name"], staged=True),
        "loose": define_table(v.any()),
    }
)
USER = {"_id": v.id("users"), "_creationTime": v.number(), "name": v.string(), "age": v.optional(v.int())}
EVENTS = [
    {"_id": v.id("events"), "_creationTime": v.number(), "kind": v.literal("a"), "n": v.number()},
    {
        "_id": v.id("events"),
        "_creationTime": v.number(),
        "kind": v.literal("b"),
        "user": v.object(name=v.string()),
    },
]


class Size(TypedDict):
    width: float
    depth: NotRequired[float]


@dataclass
class Profile:
    name: str
    level: int = 1
    tags: list[str] = default(default_factory=list)
    note: str = UNSET


def type_of(validator: Validator | Any, *, in_result: bool = False, strict: bool = True) -> str:
    described = (validator if isinstance(validator, Validator) else v.of(validator)).describe()
    model = DataModel(msgspec.structs.replace(SCHEMA.describe(), strict_table_names=strict))
    return Types(model, named=True).of(described, in_result=in_result)


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        (v.string(), "string"),
        (v.number(), "number"),
        (v.int(), "number"),
        (v.int64(), "bigint"),
        (v.boolean(), "boolean"),
        (v.null(), "null"),
        (v.bytes(), "ArrayBuffer"),
        (v.any(), "any"),
        (v.id("users"), 'Id<"users">'),
        (v.id("_storage"), 'Id<"_storage">'),
        (v.id("elsewhere"), 'GenericId<"elsewhere">'),
        (v.array(v.int64()), "Array<bigint>"),
        (v.record(v.string(), v.boolean()), "Record<string, boolean>"),
        (v.record(v.id("users"), v.any()), 'Record<Id<"users">, any>'),
        (v.object(), "{}"),
        (v.object(a=v.string(), b=v.optional(v.nullable(v.number()))), "{ a: string; b?: number | null }"),
        (v.object({"two words": v.null(), "class": v.null()}), '{ "two words": null; class: null }'),
        (v.literal("it's"), '"it\'s"'),
        (v.literal('say "hi"'), '"say \\"hi\\""'),
        (v.literal("a\nb\\"), '"a\\nb\\\\"'),
        (v.literal(1), "1"),
        (v.literal(-2.5), "-2.5"),
        (v.literal(1e-7), "1e-07"),
        (v.literal(1e30), "1e+30"),
        (v.literal(True), "true"),
        (v.literal(Int64(-5)), "-5n"),
        (v.literal(float("nan")), "number"),
        (v.literal(-0.0), "number"),
        (v.union(), "never"),
        (v.union(v.null(), v.string(), v.int(), v.number()), "string | number | null"),
        (v.union(v.string(), v.union(v.null(), v.array(v.any()))), "string | Array<any> | null"),
        (v.union(v.string(), v.any()), "any"),
        (v.object(USER), 'Doc<"users">'),
        (v.object(dict(reversed(USER.items()))), 'Doc<"users">'),
        (v.nullable(v.object(USER)), 'Doc<"users"> | null'),
        (v.object(USER).omit("age"), '{ _id: Id<"users">; _creationTime: number; name: string }'),
        (v.array(v.union(*map(v.object, EVENTS))), 'Array<Doc<"events">>'),
        (v.union(v.object(USER), v.null(), *map(v.object, EVENTS)), 'Doc<"users"> | Doc<"events"> | null'),
        (PaginationOptions, "PaginationOptions"),
        (PaginationResult[str], "PaginationResult<string>"),
        (PaginationResult, "PaginationResult<any>"),
        (dict[str, Any], "Record<string, any>"),
        (tuple[int, ...], "Array<number>"),
        (Literal["a", "b"] | None, '"a" | "b" | null'),
        (Size, "{ width: number; depth?: number }"),
        (Profile, "{ name: string; level?: number; tags?: Array<string>; note?: string }"),
    ],
)  # fmt: skip
def test_every_validator_has_its_type(validator: Any, expected: str) -> None:
    assert type_of(validator) == expected


def test_one_kind_of_a_union_table_is_spelled_out() -> None:
    one = type_of(v.object(EVENTS[0]))
    assert one == '{ _id: Id<"events">; _creationTime: number; kind: "a"; n: number }'


def test_what_has_a_default_is_always_there_in_a_result() -> None:
    expected = "{ name: string; level: number; tags: Array<string>; note?: string }"
    assert type_of(Profile, in_result=True) == expected
    assert type_of(list[Profile | None], in_result=True) == f"Array<{expected} | null>"
    assert type_of(Size, in_result=True) == "{ width: number; depth?: number }"


def test_any_table_has_ids_if_the_schema_is_not_strict() -> None:
    assert type_of(v.id("elsewhere"), strict=False) == 'Id<"elsewhere">'


# Files


def function(path: str, kind: Any = "query", visibility: Any = "public", **more: Any) -> FunctionDescription:
    args = {"args": v.object().describe(), **more}
    return FunctionDescription(path=path, kind=kind, visibility=visibility, **args)


def api_of(*functions: FunctionDescription) -> str:
    app = AppDescription(schema=SCHEMA.describe(), functions=functions)
    return render_files(app, python=False, typescript=True)["api.d.ts"]


def data_model_of(schema: SchemaDescription | None) -> str:
    return render_files(AppDescription(schema=schema), python=False, typescript=True)["dataModel.d.ts"]


def test_folders_modules_and_odd_names_are_nested_objects() -> None:
    text = api_of(
        function("sessions/queries:get"),
        function("b.c:list"),
        function("a:default", "action"),
        function("a-b:delete", "mutation"),
        function("sessions:get"),
    )
    tree = text.partition("declare const api: ")[2].partition(";\n\n")[0]
    assert tree == (
        "{\n"
        "  a: {\n"
        '    default: FunctionReference<"action", "public", {}, any>;\n'
        "  };\n"
        '  "a-b": {\n'
        '    delete: FunctionReference<"mutation", "public", {}, any>;\n'
        "  };\n"
        '  "b.c": {\n'
        '    list: FunctionReference<"query", "public", {}, any>;\n'
        "  };\n"
        "  sessions: {\n"
        '    get: FunctionReference<"query", "public", {}, any>;\n'
        "    queries: {\n"
        '      get: FunctionReference<"query", "public", {}, any>;\n'
        "    };\n"
        "  };\n"
        "}"
    )


def test_a_function_may_be_called_like_a_module_beside_it() -> None:
    text = api_of(function("shop:stock"), function("shop/stock:list"))
    assert 'stock: FunctionReference<"query", "public", {}, any> & {\n' in text


def test_internal_functions_are_apart() -> None:
    text = api_of(function("a:b", visibility="internal"))
    assert "declare const api: {};" in text
    assert 'FunctionReference<"query", "internal", {}, any>' in text.partition("const internal")[2]


def test_arguments_that_nobody_declared_are_any() -> None:
    text = api_of(function("a:b", args={"type": "any"}), function("a:c", returns=v.null().describe()))
    assert 'b: FunctionReference<"query", "public", any, any>;' in text
    assert 'c: FunctionReference<"query", "public", {}, null>;' in text


def test_nothing_is_imported_that_is_not_used() -> None:
    empty = api_of()
    assert "import" not in empty
    assert "\n\n\n" not in empty
    used = api_of(function("a:b", returns=v.id("elsewhere").describe()))
    assert used.count("import type") == 2
    assert 'import type { GenericId } from "convex/values";' in used


def test_tables_have_documents_paths_and_indexes() -> None:
    text = data_model_of(SCHEMA.describe())
    events, loose, users = (text.index(f"  {name}: {{\n") for name in ("events", "loose", "users"))
    assert events < loose < users
    assert '    document: { _id: Id<"events">; _creationTime: number; kind: "a"; n: number } | {' in text
    assert '| "user.name"' in text
    assert "by_user" not in text  # staged
    assert '      by_name: ["name", "_creationTime"];\n' in text[users:]
    assert "    document: any;\n    fieldPaths: string;\n" in text[loose:users]
    assert "AnyDataModel" not in text


def test_search_and_vector_indexes_say_what_may_be_compared() -> None:
    notes = (
        define_table(text=v.string(), tag=v.string(), of=v.array(v.number()))
        .search_index("by_text", search_field="text", filter_fields=["tag", "text"])
        .vector_index("by_meaning", vector_field="of", dimensions=3)
    )
    text = data_model_of(define_schema(notes=notes).describe())
    search = 'by_text: {\n        searchField: "text";\n        filterFields: "tag" | "text";\n      };'
    vector = 'by_meaning: {\n        vectorField: "of";\n        dimensions: number;\n        filterFields: never;\n      };'
    assert search in text
    assert vector in text


def test_a_schema_that_is_not_strict_takes_other_tables_too() -> None:
    text = data_model_of(msgspec.structs.replace(SCHEMA.describe(), strict_table_names=False))
    assert "  [tableName: string]: AnyDataModel[string];\n};" in text


def test_without_a_schema_everything_goes() -> None:
    assert "export type DataModel = AnyDataModel;" in data_model_of(None)
    assert "export type DataModel = {};" in data_model_of(define_schema({}).describe())


# Which projects want it


@pytest.mark.parametrize(
    ("config", "file", "wanted"),
    [
        ("", None, False),
        ("", "package.json", True),
        ("", "web/package.json", True),
        ("", "web/deep/package.json", False),
        ("", "node_modules/package.json", False),
        ("", ".cache/package.json", False),
        ('typescript = "auto"', "package.json", True),
        ("typescript = false", "package.json", False),
        ("typescript = true", None, True),
    ],
)
def test_a_package_json_asks_for_it(tmp_path: Path, config: str, file: str | None, wanted: bool) -> None:
    (tmp_path / "convexpy.toml").write_text(f"[codegen]\n{config}\n")
    if file is not None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("{}")
    assert wants_typescript(open_project(tmp_path)) is wanted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_is_one_line_of_a_string(text: str) -> None:
    literal = quoted(text)
    assert literal[0] == literal[-1] == '"'
    assert len(literal.splitlines()) == 1
    assert eval(literal) == text  # the escapes that are used mean the same in Python
