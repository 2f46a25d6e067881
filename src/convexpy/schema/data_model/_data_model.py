"""`data_model.py`: ids and documents of every table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convexpy.errors import ProjectError
from convexpy.protocol.app_description import SchemaDescription, TableDescription
from convexpy.schema.data_model._layout import assignment, import_lines
from convexpy.schema.data_model._names import pascal
from convexpy.schema.data_model._types import Annotations, Described, FieldType, Used, same_shape, typed_dict

WIDTH = 120


@dataclass
class Table:
    """A table of the schema, with what generated code calls its documents."""

    name: str
    described: TableDescription
    variants: list[Described] = field(default_factory=list[Described])

    @property
    def title(self) -> str:
        """`Sessions` of `SessionsDoc`."""
        return pascal(self.name)

    @property
    def is_union(self) -> bool:
        """Whether its documents are of several kinds."""
        return len(self.variants) > 1

    def field_types(self, name: str) -> list[Described]:
        """Return the validators that a field has in the variants."""
        return [variant["value"][name]["fieldType"] for variant in self.variants if name in variant["value"]]


class TableObjects:
    """Names objects in documents `<Table><Field>Object`, and keeps their declarations in order."""

    def __init__(self) -> None:
        self.known: dict[str, Described] = {}
        self.declared: list[list[str]] = []
        self.annotations: Annotations | None = None

    def name_of(self, described: Described, place: str) -> str:
        name, number = f"{place}Object", 1
        while name in self.known and not same_shape(self.known[name], described):
            number += 1
            name = f"{place}Object{number}"
        if name not in self.known:
            self.known[name] = described
            assert self.annotations is not None  # set right after both are made
            fields = _fields(self.annotations, described, place)
            self.declared.append(typed_dict(name, fields, self.annotations.used))
        return name

    def collapse(self, names: list[str]) -> list[str]:
        return names


class DataModel:
    """The tables of a schema and the text of `data_model.py`; other files ask it for names and types."""

    def __init__(self, schema: SchemaDescription | None) -> None:
        described = {} if schema is None else schema.tables
        self.tables: list[Table] = [
            Table(name, table, _variants(table.validator)) for name, table in described.items()
        ]
        self.strict: bool = schema is not None and schema.strict_table_names
        self.objects: TableObjects = TableObjects()
        self.annotations: Annotations = Annotations(list(described), self.objects)
        self.objects.annotations = self.annotations
        self._check_titles()
        self._sections = [self._section(table) for table in self.tables]

    @property
    def used(self) -> Used:
        """What the annotations of this file need."""
        return self.annotations.used

    def names(self) -> set[str]:
        """Return every name that the module defines for types."""
        suffixes = ("Id", "Doc", "Fields", "Patch")
        found = {f"{table.title}{suffix}" for table in self.tables for suffix in suffixes}
        for table in self.tables:
            if table.is_union:
                numbers = range(1, len(table.variants) + 1)
                found |= {f"{table.title}{kind}{number}" for kind in ("Doc", "Fields") for number in numbers}
        return found | set(self.objects.known)

    def field_annotation(self, table: Table, name: str, annotations: Annotations) -> str:
        """Return the annotation of a field in all variants together, for another file; `Any` if unknown."""
        types = table.field_types(name)
        place = table.title + pascal(name)
        return annotations.of({"type": "union", "value": types} if types else {"type": "any"}, place)

    def render(self) -> str:
        """Return the text of the file."""
        ids = {f"{table.title}Id": table.name for table in self.tables}
        lines = ['"""Written by `convexpy codegen` from schema.py. Do not edit."""', ""]
        typing = {*self.used.typing, *(["NewType"] if ids else [])}
        for module, names in (
            ("typing", typing),
            ("typing_extensions", self.used.extensions),
            ("convexpy", self.used.convexpy),
        ):
            block = import_lines(module, names, width=100)
            lines += [*block, ""] if block else []
        lines += [f'{name} = NewType("{name}", str)' for name in ids] + ([""] if ids else [])
        lines += ["# Read by convexpy, where an annotation names an id.", *_id_tables(ids)]
        for section in self._sections:
            lines += ["", "", *section]
        return "\n".join(lines) + "\n"

    def _check_titles(self) -> None:
        titles: dict[str, str] = {}
        for table in self.tables:
            other = titles.setdefault(table.title, table.name)
            if other != table.name:
                raise ProjectError(
                    f"tables {other!r} and {table.name!r} would both be called {table.title!r} in data_model.py",
                    code="SchemaDefinitionError",
                    hint="rename one of them",
                )

    def _section(self, table: Table) -> list[str]:
        title = table.title
        if not table.variants:
            self.used.typing.add("Any")
            aliases = [f"{title}{suffix} = dict[str, Any]" for suffix in ("Fields", "Doc", "Patch")]
            return [f"# {table.name}: any fields", "", *aliases]
        start = len(self.objects.declared)
        blocks: list[list[str]] = []
        numbers = [str(number) for number in range(1, len(table.variants) + 1)] if table.is_union else [""]
        for number, variant in zip(numbers, table.variants, strict=True):
            fields = _fields(self.annotations, variant, title)
            blocks.append(typed_dict(f"{title}Fields{number}", fields, self.used))
        for number in numbers:
            system = [f"    _id: {title}Id", "    _creationTime: float"]
            blocks.append([f"class {title}Doc{number}({title}Fields{number}):", *system])
        if table.is_union:
            blocks.append(
                [
                    *assignment(f"{title}Fields", [f"{title}Fields{n}" for n in numbers], width=WIDTH),
                    *assignment(f"{title}Doc", [f"{title}Doc{n}" for n in numbers], width=WIDTH),
                ]
            )
        blocks.append(typed_dict(f"{title}Patch", self._patch_fields(table), self.used, total=False))
        blocks = self.objects.declared[start:] + blocks
        note = ": a union of objects, numbered in the order of the schema" if table.is_union else ""
        lines = [f"# {table.name}{note}", "", *blocks[0]]
        for block in blocks[1:]:
            lines += ["", "", *block]
        return lines

    def _patch_fields(self, table: Table) -> list[FieldType]:
        names = dict.fromkeys(name for variant in table.variants for name in variant["value"])
        return [FieldType(name, self.field_annotation(table, name, self.annotations)) for name in names]


def _fields(annotations: Annotations, described: Described, place: str) -> list[FieldType]:
    return [
        FieldType(name, annotations.of(each["fieldType"], place + pascal(name)), not each.get("optional"))
        for name, each in described["value"].items()
    ]


def _variants(validator: Described) -> list[Described]:
    """Return the kinds of documents of a table; none if anything goes."""
    if validator["type"] == "object":
        return [validator]
    if validator["type"] != "union":
        return []
    members: Sequence[list[Described]] = [_variants(member) for member in validator["value"]]
    return [] if any(not found for found in members) else [variant for found in members for variant in found]


def _id_tables(ids: Mapping[str, str]) -> list[str]:
    items = [f'"{name}": "{table}"' for name, table in ids.items()]
    one = f"ID_TABLES: dict[str, str] = {{{', '.join(items)}}}"
    if len(one) <= WIDTH:
        return [one]
    return ["ID_TABLES: dict[str, str] = {", *(f"    {item}," for item in items), "}"]
