"""`server.py` and `server.pyi`: ctx and database classes, narrowed to the tables and indexes of the app."""

# ruff: noqa: E501 - the templates have the width of what is generated

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from convexpy.protocol.app_description import (
    GENERATED_SERVER_NAMES,
    AnyIndex,
    SearchIndexDescription,
    VectorIndexDescription,
)
from convexpy.schema.data_model import (
    Annotations,
    DataModel,
    Described,
    Table,
    assignment,
    import_lines,
    is_name,
    literal,
    signature,
)

WIDTH = 134
Q = TypeVar("Q", bound=AnyIndex)

_HEADER = '''"""Written by `convexpy codegen` from schema.py. Do not edit.

The classes of convexpy, narrowed to the tables of this app. That they take less than their bases is meant: a helper that asks
for `convexpy.QueryCtx` gets these too, and loses only the check of names.
"""

# mypy: disable-error-code="{mypy}"
# pyright: reportIncompatibleMethodOverride=false{pyright}
'''
_QUERIES = """# Queries: per index the equality form and the range form. Staged indexes are not here. The parameter is called `_index`, since a
# field may be called `name` or `index`, but none starts with `_`. Dotted and reserved field names, and `self`, are only in the range
# form. A table without search indexes gets `with_search_index(self) -> Never`.
"""
_DATABASE = """# Database: overloads per table (with strict_table_names=False a last one for any `str`). For a call that fits none, checkers name
# what is wrong with the last form of its table: the one that takes a document, not a model.
"""
_DECORATORS = """# Decorators

query: QueryDecorator[QueryCtx]
internal_query: QueryDecorator[QueryCtx]
mutation: MutationDecorator[MutationCtx]
internal_mutation: MutationDecorator[MutationCtx]
action: ActionDecorator[ActionCtx, SyncActionCtx]
internal_action: ActionDecorator[ActionCtx, SyncActionCtx]
"""

Form = tuple[Sequence[Sequence[str]], str]
"""The parameters (in groups) and the result of one form of a method."""


def render_server() -> str:
    """Return the text of `server.py`."""
    lines = ['"""Written by `convexpy codegen`. Do not edit. The types are in server.pyi."""', ""]
    return "\n".join([*lines, *_reexports()]) + "\n"


def _reexports() -> list[str]:
    return [f"from convexpy import {name} as {name}" for name in GENERATED_SERVER_NAMES]


def render_server_stub(model: DataModel) -> str:
    """Return the text of `server.pyi`. Without a schema it is the untyped surface of convexpy."""
    if not model.tables:
        return (
            "\n".join(
                [
                    '"""Written by `convexpy codegen`. Do not edit. There is no schema.py."""',
                    "",
                    *_reexports(),
                ]
            )
            + "\n"
        )
    return _ServerStub(model).render()


class _ServerStub:
    def __init__(self, model: DataModel) -> None:
        self._model = model
        self._objects = _DocumentObjects(model)
        self._annotations = Annotations([table.name for table in model.tables], self._objects)

    def render(self) -> str:
        queries = [line for table in self._model.tables for line in [*self._query_class(table), ""]]
        vectors = self._contexts()
        body = [
            *assignment("_Id: TypeAlias", [f"{table.title}Id" for table in self._model.tables], width=WIDTH),
            "",
            *_QUERIES.splitlines(),
            "",
            *queries,
            *_DATABASE.splitlines(),
            "",
            *self._reader(),
            "",
            *self._writer(),
            "",
            *vectors,
            "",
        ]
        return self._header() + "\n" + "\n".join([*self._imports(), "", *body]) + "\n" + _DECORATORS

    def _header(self) -> str:
        if self._model.strict:
            return _HEADER.format(mypy="override", pyright="")
        # The form for any table takes what the others take, and gives less.
        return _HEADER.format(mypy="override, overload-overlap", pyright=", reportOverlappingOverload=false")

    def _imports(self) -> list[str]:
        tables, used = self._model.tables, self._annotations.used
        search = any(_queryable(table.described.search_indexes) for table in tables)
        vector = any(_queryable(table.described.vector_indexes) for table in tables)
        every_search = all(_queryable(table.described.search_indexes) for table in tables)
        names = {
            "ActionDecorator",
            "IndexRange",
            "ModelInstance",
            "MutationDecorator",
            "Query",
            "QueryDecorator",
            "TableQuery",
        }
        names |= {"SearchBuilder", "SearchFilter"} if search else set()
        names |= {"VectorExpression", "VectorFilter", "VectorHit"} if vector else set()
        documents = {
            f"{table.title}{suffix}" for table in tables for suffix in ("Doc", "Fields", "Id", "Patch")
        }
        lines = import_lines("collections.abc", ["Callable", "Iterable", "Mapping"], width=WIDTH)
        lines += [*import_lines("typing", {"Any", "Literal", "overload"} | used.typing, width=WIDTH), ""]
        extensions = {"TypeAlias"} if every_search else {"Never", "TypeAlias"}
        lines += [*import_lines("typing_extensions", extensions, width=WIDTH), ""]
        # Never on one line: it grows with the schema, and a diff should show what was added.
        lines += ["import convexpy", *import_lines("convexpy", names | used.convexpy, width=40), ""]
        return [
            *lines,
            *import_lines(".data_model", documents | used.data_model | self._objects.used, width=40),
        ]

    # Queries

    def _query_class(self, table: Table) -> list[str]:
        query = f"Query[{table.title}Doc]"
        indexes = [("by_id", ["_id"]), ("by_creation_time", ["_creationTime", "_id"])]
        own = _queryable(table.described.indexes)
        indexes += [(index.name, [*index.fields, "_creationTime", "_id"]) for index in own]
        forms: list[Form] = []
        for name, fields in indexes:
            forms += [(self._equality(table, name, fields), query), (_range(name, fields), query)]
        lines = [
            f"class _{table.title}Query(TableQuery[{table.title}Doc]):",
            *_overloads("with_index", forms),
        ]
        searches: list[Form] = [
            (_search(index), query) for index in _queryable(table.described.search_indexes)
        ]
        if not searches:
            return [*lines, "    def with_search_index(self) -> Never: ..."]
        return [*lines, *_overloads("with_search_index", searches)]

    def _equality(self, table: Table, index: str, fields: Sequence[str]) -> list[list[str]]:
        named: list[str] = []
        for field in fields:
            if "." in field or not is_name(field) or field == "self":
                break
            named.append(field)
        head = ["self", f"_index: {literal([index])}", "/"]
        if not named:
            return [head]
        own = [f"{field}: {self._field(table, field)} = ..." for field in named if not field.startswith("_")]
        system = [f"{field}: {self._field(table, field)} = ..." for field in named if field.startswith("_")]
        return [[*head, "*"], own, system]

    def _field(self, table: Table, field: str) -> str:
        if field == "_id":
            return f"{table.title}Id"
        return (
            "float"
            if field == "_creationTime"
            else self._model.field_annotation(table, field, self._annotations)
        )

    # Database

    def _per_table(self, form: Callable[[Table], Form]) -> list[Form]:
        return [form(table) for table in self._model.tables]

    def _reader(self) -> list[str]:
        both: list[Form] = []
        for table in self._model.tables:
            result = f"{table.title}Doc | None"
            both.append(([["self", f"id: {table.title}Id", "/"]], result))
            both.append(([["self", _table(table), f"id: {table.title}Id", "/"]], result))
        document = "dict[str, Any]"
        lines = ["class DatabaseReader(convexpy.DatabaseReader):"]
        lines += self._method("get", both, (("id: str",), ("table: str", "id: str")), f"{document} | None")
        lines += self._method(
            "get_many",
            self._per_table(
                lambda t: ([["self", f"ids: Iterable[{t.title}Id]", "/"]], f"list[{t.title}Doc | None]")
            ),
            (("ids: Iterable[str]",),),
            f"list[{document} | None]",
        )
        lines += self._method(
            "query",
            self._per_table(lambda t: ([["self", _table(t), "/"]], f"_{t.title}Query")),
            (("table: str",),),
            f"TableQuery[{document}]",
        )
        return lines + self._method(
            "normalize_id",
            self._per_table(lambda t: ([["self", _table(t), "text: str", "/"]], f"{t.title}Id | None")),
            (("table: str", "text: str"),),
            "str | None",
        )

    def _writer(self) -> list[str]:
        value = "Mapping[str, Any] | ModelInstance"
        lines = ["class DatabaseWriter(DatabaseReader, convexpy.DatabaseWriter):"]
        inserts: list[Form] = [
            ([["self", _table(table), f"value: {own}", "/"]], f"{table.title}Id")
            for table in self._model.tables
            for own in ("ModelInstance", f"{table.title}Fields")
        ]
        lines += self._method("insert", inserts, (("table: str", f"value: {value}"),), "str")
        loose = (("id: str", f"value: {value}"), ("table: str", "id: str", f"value: {value}"))
        lines += self._method("patch", self._changes(_patches), loose, "None")
        replacements = self._changes(lambda table: ("ModelInstance", f"{table.title}Fields"))
        lines += self._method("replace", replacements, loose, "None")
        forms: list[Form] = [([["self", "id: _Id", "/"]], "None")]
        forms += self._per_table(lambda t: ([["self", _table(t), f"id: {t.title}Id", "/"]], "None"))
        return lines + self._method("delete", forms, (("id: str",), ("table: str", "id: str")), "None")

    def _changes(self, values: Callable[[Table], Sequence[str]]) -> list[Form]:
        forms: list[Form] = []
        for table in self._model.tables:
            for place in ([], [_table(table)]):
                for value in values(table):
                    rest = [f"id: {table.title}Id", f"value: {value}", "/"]
                    forms.append(([["self", *place, *rest]], "None"))
        return forms

    def _method(self, name: str, forms: list[Form], loose: Sequence[Sequence[str]], result: str) -> list[str]:
        """Return a method; `loose` are its forms for tables that the schema does not name, if there may be such."""
        if not self._model.strict:
            forms = [*forms, *(([["self", *parameters, "/"]], result) for parameters in loose)]
        return _overloads(name, forms)

    # Contexts

    def _contexts(self) -> list[str]:
        lines = ["# Contexts; `vector_search` only where a table has a vector index", ""]
        for name, bases, db in (
            ("QueryCtx", "convexpy.QueryCtx", "DatabaseReader"),
            ("MutationCtx", "QueryCtx, convexpy.MutationCtx", "DatabaseWriter"),
        ):
            lines += [f"class {name}({bases}):", "    @property", f"    def db(self) -> {db}: ...", ""]
        forms: list[Form] = [
            (_vector(table, index), f"list[VectorHit[{table.title}Id]]")
            for table in self._model.tables
            for index in _queryable(table.described.vector_indexes)
        ]
        for name, head in (("ActionCtx", "async def"), ("SyncActionCtx", "def")):
            methods = _overloads("vector_search", forms, define=head)
            lines += (
                [f"class {name}(convexpy.{name}):", *methods, ""]
                if methods
                else [f"class {name}(convexpy.{name}): ...", ""]
            )
        return lines[:-1]


class _DocumentObjects:
    """Objects in fields have the names that `data_model.py` gave them."""

    def __init__(self, model: DataModel) -> None:
        self._model = model
        self.used: set[str] = set()

    def name_of(self, described: Described, place: str) -> str:
        name = self._model.objects.name_of(described, place)
        self.used.add(name)
        return name

    def collapse(self, names: list[str]) -> list[str]:
        return names


def _patches(table: Table) -> Sequence[str]:
    """Return what a document is patched with; where no field is required, a patch is all that it can be."""
    patch = f"{table.title}Patch"
    fields = table.described.validator.get("value")
    if isinstance(fields, dict) and all(each.get("optional") for each in fields.values()):
        return ("ModelInstance", patch)
    return (f"{table.title}Fields | ModelInstance", patch)


def _table(table: Table) -> str:
    return f"table: {literal([table.name])}"


def _queryable(indexes: Iterable[Q]) -> list[Q]:
    return [index for index in indexes if not index.staged]


def _range(index: str, fields: Sequence[str]) -> list[list[str]]:
    wanted = f"range: Callable[[IndexRange[{literal(fields)}]], IndexRange] | Mapping[str, Any]"
    return [["self", f"_index: {literal([index])}"], [wanted, "/"]]


def _search(index: SearchIndexDescription) -> list[list[str]]:
    filters = _names(index.filter_fields)
    builder = f"SearchBuilder[{literal([index.search_field])}, {filters}]"
    return [
        ["self", f"_index: {literal([index.name])}"],
        [f"search: Callable[[{builder}], SearchFilter]", "/"],
    ]


def _vector(table: Table, index: VectorIndexDescription) -> list[list[str]]:
    head = [
        "self",
        _table(table),
        f"index: {literal([index.name])}",
        "/",
        "*",
        "vector: Any",
        "limit: int = ...",
    ]
    filters = _names(index.filter_fields)
    return [head, [f"filter: Callable[[VectorFilter[{filters}]], VectorExpression] | None = ..."]]


def _names(fields: Sequence[str]) -> str:
    """Return the fields as a Literal; without any, a type that no name fits."""
    return literal(fields) if fields else 'Literal[""]'


def _overloads(name: str, forms: Sequence[Form], *, define: str = "def") -> list[str]:
    lines: list[str] = []
    for groups, result in forms:
        if len(forms) > 1:
            lines.append("    @overload")
        lines += signature(f"{define} {name}", groups, result, width=WIDTH, indent="    ")
    return lines
