"""From the description of a validator to the annotation that generated code has for it.

Objects become TypedDicts. Where they are declared, and under which name, is the business of an `Objects`
given by the file that is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from convexpy.schema.data_model._layout import quoted
from convexpy.schema.data_model._names import fits_class_body, pascal
from convexpy.values import without_names

Described = Mapping[str, Any]

_SCALARS = {"string": "str", "boolean": "bool", "null": "None", "bytes": "bytes"}
_SYSTEM_IDS = {"_storage": "StorageId", "_scheduled_functions": "ScheduledFunctionId"}


class Objects(Protocol):
    """Says by which name an object is called; declares it if that is needed."""

    def name_of(self, described: Described, place: str) -> str:
        """Return the annotation of an object that stands at `place` (a name like `SessionsOrigin`)."""
        ...

    def collapse(self, names: list[str]) -> list[str]:
        """Return the members of a union with generated unions put back together."""
        ...


@dataclass
class Used:
    """Names that the annotations of one file need imported, by where they come from."""

    typing: set[str] = field(default_factory=set[str])
    extensions: set[str] = field(default_factory=set[str])
    convexpy: set[str] = field(default_factory=set[str])
    data_model: set[str] = field(default_factory=set[str])


class Annotations:
    """Writes annotations for one file, and remembers what they need imported."""

    def __init__(self, tables: Sequence[str], objects: Objects) -> None:
        self._tables = set(tables)
        self.objects = objects
        self.used: Used = Used()

    def of(self, described: Described, place: str) -> str:
        """Return the annotation of a validator at `place`."""
        return " | ".join(self.members(described, place))

    def members(self, described: Described, place: str) -> list[str]:
        """Return the members of the union that a validator is; one for anything else. Literals are joined."""
        flat = list(_flattened(described))
        words = list(dict.fromkeys(_literal_word(each) for each in flat if _is_literal(each)))
        names: list[str] = []
        for each in flat:
            if _is_literal(each):
                joined = f"Literal[{', '.join(words)}]"
                self.used.typing.add("Literal")
                names.append(joined)
            else:
                names.append(self._single(each, place))
        names = self.objects.collapse(list(dict.fromkeys(names)))
        if "Any" in names:
            self.used.typing.add("Any")
            return ["Any"]
        # `None` last, as people write it.
        return [name for name in names if name != "None"] + (["None"] if "None" in names else [])

    def _single(self, described: Described, place: str) -> str:
        kind = described["type"]
        if kind in _SCALARS:
            return _SCALARS[kind]
        if kind == "number":
            return "int" if described.get("int") else "float"
        if kind == "literal":
            return self._literal_class(described["value"])
        if kind == "bigint":
            return self._from_convexpy("Int64")
        if kind == "id":
            return self._id(described["tableName"])
        if kind == "array":
            return f"list[{self.of(described['value'], place)}]"
        if kind == "record":
            keys = self.of(described["keys"], place + "Key")
            return f"dict[{keys}, {self.of(described['values']['fieldType'], place)}]"
        if kind == "object":
            return self._object(described, place)
        return "Any"

    def _object(self, described: Described, place: str) -> str:
        if described.get("name") == "PaginationOptions" and described.get("module") == "convexpy":
            return self._from_convexpy("PaginationOptions")
        if described.get("name") == "PaginationResult" and described.get("module") == "convexpy":
            item = self.of(described["value"]["page"]["fieldType"]["value"], place + "Item")
            return f"{self._from_convexpy('PaginationResult')}[{item}]"
        return self.objects.name_of(described, place)

    def _literal_class(self, value: Any) -> str:
        # Literals of floats and of Int64 are not something that Python's types can say.
        return self._from_convexpy("Int64") if isinstance(value, dict) and "$integer" in value else "float"

    def _id(self, table: str) -> str:
        if table in _SYSTEM_IDS:
            return self._from_convexpy(_SYSTEM_IDS[table])
        if table not in self._tables:
            return "str"
        name = f"{pascal(table)}Id"
        self.used.data_model.add(name)
        return name

    def _from_convexpy(self, name: str) -> str:
        self.used.convexpy.add(name)
        return name


def _flattened(described: Described) -> list[Described]:
    if described["type"] != "union":
        return [described]
    return [inner for member in described["value"] for inner in _flattened(member)]


def _is_literal(described: Described) -> bool:
    value = described.get("value")
    return described["type"] == "literal" and (isinstance(value, str | bool) or _is_whole(value))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _literal_word(described: Described) -> str:
    value = described["value"]
    if isinstance(value, str):
        return quoted(value)
    return str(value) if isinstance(value, bool) else str(int(value))


def same_shape(first: Described, second: Described) -> bool:
    """Return whether two objects have the same fields, whatever classes they came from."""
    # As text: `true` is not `1` there.
    return json.dumps(without_names(first)) == json.dumps(without_names(second))


@dataclass(frozen=True)
class FieldType:
    """A field of a TypedDict."""

    name: str
    annotation: str
    required: bool = True


def typed_dict(
    name: str, fields: Sequence[FieldType], used: Used, *, total: bool = True, base: str = "TypedDict"
) -> list[str]:
    """Return the lines of a TypedDict: a class, or a call if a field has a name that no class can have."""
    used.extensions.add("TypedDict")
    if total and not all(each.required for each in fields):
        used.extensions.add("NotRequired")
    annotations = {each.name: _wrapped(each, total) for each in fields}
    words = words_of(annotations.values())
    odd = [each.name for each in fields if not fits_class_body(each.name, words)]
    if not odd:
        head = f"class {name}({base}{'' if total else ', total=False'}):"
        return [head, *(f"    {field}: {text}" for field, text in annotations.items())] + ["    pass"] * (
            not fields
        )
    called = ", ".join(f"`{field}`" for field in odd)
    reason = f"a field is called {called}" if len(odd) == 1 else f"fields are called {called}"
    lines = [f"# Call syntax, since {reason}."]
    items = [f"{quoted(field)}: {text}" for field, text in annotations.items()]
    end = "" if total else ", total=False"
    one = f'{name} = TypedDict("{name}", {{{", ".join(items)}}}{end})'
    if len(one) <= 100:
        return [*lines, one]
    return [*lines, f'{name} = TypedDict("{name}", {{', *(f"    {item}," for item in items), f"}}{end})"]


def _wrapped(each: FieldType, total: bool) -> str:
    return each.annotation if each.required or not total else f"NotRequired[{each.annotation}]"


def words_of(lines: Iterable[str]) -> set[str]:
    """Return every name in some lines of code; what stands in quotes is none."""
    return {word for line in lines for word in re.findall(r"\w+", re.sub(r'"(?:[^"\\]|\\.)*"', "", line))}
