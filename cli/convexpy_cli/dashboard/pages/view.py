"""Which documents of a table are looked at: what the filter bar says, and the address of the page keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from convexpy.client import DocumentQuery
from convexpy.protocol.admin_api import TableOutline
from convexpy.protocol.app_description import TableDescription
from convexpy_cli.data.reading import query_of

DEFAULT_INDEX = "by_creation_time"
BOUNDS = {"eq": "=", "gte": "≥", "gt": ">", "lte": "≤", "lt": "<"}


@dataclass(frozen=True, kw_only=True)
class View:
    """A selection of a table; `bounds` are, for fields of the index, one of `BOUNDS` and a value as text."""

    table: str
    index: str = DEFAULT_INDEX
    order: str = "desc"
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    where: str = ""

    @classmethod
    def read(cls, table: str, parameters: Mapping[str, str]) -> View:
        """Return the view of an address."""
        bounds: dict[str, tuple[str, str]] = {}
        for name, text in parameters.items():
            kind, dot, of = name.partition(".")
            if dot and kind in BOUNDS:
                bounds[of] = (kind, text)
        return cls(
            table=table,
            index=parameters.get("index", DEFAULT_INDEX),
            order="asc" if parameters.get("order") == "asc" else "desc",
            bounds=bounds,
            where=parameters.get("where", ""),
        )

    @property
    def address(self) -> str:
        """The address of the page with this view."""
        given = {f"{kind}.{name}": text for name, (kind, text) in self.bounds.items()}
        if self.index != DEFAULT_INDEX:
            given["index"] = self.index
        if self.order != "desc":
            given["order"] = self.order
        if self.where:
            given["where"] = self.where
        return f"/data/{quote(self.table)}" + (f"?{urlencode(given)}" if given else "")

    def query(self, described: TableDescription | None) -> DocumentQuery:
        """Return what the deployment is asked for.

        Raises:
            Failure: a value cannot be that of its field.
        """
        bounds: dict[str, list[str]] = {kind: [] for kind in BOUNDS}
        for name, (kind, text) in self.bounds.items():
            bounds[kind].append(f"{name}={text}")
        return query_of(
            self.table,
            described,
            order=self.order,
            index=self.index if self.index != DEFAULT_INDEX or self.bounds else None,
            bounds=bounds,
            where=self.where or None,
        )


def indexes_of(table: TableOutline) -> dict[str, tuple[str, ...]]:
    """Return the indexes that can be read through, with their fields."""
    ready = {each.name: each.fields for each in table.indexes if each.state == "ready"}
    return {DEFAULT_INDEX: ("_creationTime",), **ready}


def sortable(table: TableOutline) -> dict[str, str]:
    """Return the fields that documents can be sorted by, each with an index that begins with it."""
    return {fields[0]: name for name, fields in reversed(indexes_of(table).items()) if fields}
