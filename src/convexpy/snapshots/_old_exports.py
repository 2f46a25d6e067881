"""Tables of older official exports, whose JSON is plain: int64s and bytes are strings there.

`generated_schema.jsonl` of a table tells them from other strings. Its first line is a JSON string with the shape of all
documents, such as `{"_id": id<10001>, "n": int64, "more": array<string | bytes>}`; each further line is `{id: context}` with
what the shape leaves open in one document. Source: behaviour of get-convex/convex-backend, crates/shape_inference.
"""

from __future__ import annotations

import json
import math
import struct
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from convexpy.errors import ArgumentError
from convexpy.snapshots._faults import SnapshotError
from convexpy.values import Int64, canonical_number, from_json

_STRING, _INT64, _BYTES, _INF, _NAN = "string", "int64", "bytes", "float64inf", "NaN"
_UNITS: dict[str, frozenset[str]] = {
    "never": frozenset(), "null": frozenset(), "int64": frozenset({_INT64}), "float64": frozenset({_INF, _NAN}),
    "-inf": frozenset({_INF}), "inf": frozenset({_INF}), "-0": frozenset(), "NaN": frozenset({_INF, _NAN}),
    "normalfloat64": frozenset(), "boolean": frozenset(), "field_name": frozenset({_STRING}),
    "string": frozenset({_STRING}), "bytes": frozenset({_BYTES}),
    "unknown": frozenset({_STRING, _INT64, _BYTES, _INF, _NAN}),
}  # fmt: skip
_INFER = "infer"


class _Shape(NamedTuple):
    """One alternative of a shape: what a JSON string may stand for, and the shapes inside."""

    strings: frozenset[str]
    element: Sequence[_Shape] = ()
    fields: Mapping[str, Sequence[_Shape]] = {}
    others: Sequence[_Shape] = ()
    """Of fields that are not named."""


class OldTable:
    """Decodes the documents of one table.

    Raises:
        SnapshotError: what is in `generated_schema.jsonl` is of no known form.
    """

    def __init__(self, shape: str, contexts: Iterable[bytes], file: str) -> None:
        parser = _Parser(shape)
        try:
            self._shape = parser.union()
            if parser.rest:
                raise ValueError(f"{parser.rest[:40]!r} is not expected")
            self._contexts: dict[str, Any] = {}
            for line in contexts:
                if line.strip():
                    self._contexts |= json.loads(line)
        except (ValueError, TypeError, RecursionError) as error:
            raise SnapshotError(f"{file} is of no known form: {error}", hint="export again") from None

    def decode(self, text: bytes) -> Any:
        """Return a document with its values as they were.

        Raises:
            ArgumentError: it is not valid JSON, or does not fit its shape.
        """
        try:
            document = json.loads(text)
            context = (
                self._contexts.get(document["_id"], _INFER)
                if type(document) is dict and "_id" in document
                else _INFER
            )
            return _decoded(document, self._shape, context)
        except (ValueError, TypeError, LookupError, struct.error, RecursionError) as error:
            raise ArgumentError(f"not a document of the table's generated schema: {error}") from None


class _Parser:
    """Reads a shape from its text; `rest` is what follows it."""

    def __init__(self, text: str) -> None:
        self.rest = text

    def union(self) -> list[_Shape]:
        found = [self._one()]
        while self._take(" | "):
            found.append(self._one())
        return found

    def _take(self, token: str) -> bool:
        taken = self.rest.startswith(token)
        if taken:
            self.rest = self.rest[len(token) :]
        return taken

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"{token!r} is expected at {self.rest[:40]!r}")

    def _quoted(self) -> str:
        text, end = json.JSONDecoder().raw_decode(self.rest)
        self.rest = self.rest[end:]
        return str(text)

    def _one(self) -> _Shape:
        if self._take("{"):
            return self._object()
        if self.rest.startswith('"'):
            self._quoted()
            return _Shape(_UNITS["string"])
        if self._take("id<"):
            self.rest = self.rest.partition(">")[2]
            return _Shape(_UNITS["string"])
        if self._take("array<"):
            shape = _Shape(frozenset(), element=self.union())
            self._need(">")
            return shape
        if self._take("record<"):
            self.union()
            self._need(", ")
            shape = _Shape(frozenset(), others=self.union())
            self._need(">")
            return shape
        for name in sorted(_UNITS, key=len, reverse=True):
            if self._take(name):
                return _Shape(_UNITS[name])
        raise ValueError(f"{self.rest[:40]!r} is not expected")

    def _object(self) -> _Shape:
        fields: dict[str, list[_Shape]] = {}
        while not self._take("}"):
            name = self._quoted()
            self._take("?")
            self._need(": ")
            fields[name] = self.union()
            if not self.rest.startswith("}"):
                self._need(", ")
        return _Shape(frozenset(), fields=fields)


_ANYTHING = [_Shape(_UNITS["unknown"])]


def _decoded(value: Any, shape: list[_Shape], context: Any) -> Any:
    if isinstance(value, str):
        return _of_string(value, shape, context)
    if isinstance(value, list):
        contexts = context if isinstance(context, list) else [context] * len(value)
        inside = [each for one in shape for each in one.element]
        if any(one.strings == _UNITS["unknown"] for one in shape):
            inside += _ANYTHING
        return [_decoded(item, inside, each) for item, each in zip(value, contexts, strict=True)]
    if isinstance(value, dict):
        contexts_of = context if isinstance(context, dict) else {}
        return {
            _name(name): _decoded(item, _field(shape, name), contexts_of.get(name, _INFER))
            for name, item in value.items()
        }
    if isinstance(value, int | float) and not isinstance(value, bool):
        return canonical_number(float(value))
    return value


def _name(name: str) -> str:
    from_json({name: None})  # refuses what is not a valid field name
    return name


def _field(shape: list[_Shape], name: str) -> list[_Shape]:
    found = [each for one in shape for each in one.fields.get(name, one.others)]
    return found + (_ANYTHING if any(one.strings == _UNITS["unknown"] for one in shape) else [])


def _of_string(text: str, shape: list[_Shape], context: Any) -> Any:
    if isinstance(context, dict):
        return struct.unpack("<d", b64decode(context["$float64NaN"]))[0]
    kind = str(context)
    if kind == _INFER:
        possible = frozenset[str]().union(*[one.strings for one in shape])
        kind = next(iter(possible)) if len(possible) == 1 else _STRING
    if kind == _INT64:
        return Int64(int(text))
    if kind == _BYTES:
        return b64decode(text, validate=True)
    if kind == _INF:
        return {"Infinity": math.inf, "-Infinity": -math.inf}[text]
    if kind != _STRING:
        raise ValueError(f"{kind!r} is not supported here")
    return text
