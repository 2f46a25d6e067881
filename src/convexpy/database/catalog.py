"""Names of tables and indexes → numbers, derived from the documents of `_tables` and `_index`.

A catalog never changes: writing to one of the two tables makes a new one. So a sub-transaction that is
dropped, or speculation that is, only goes back to the catalog it had.

Documents: `_tables` {name, number, tablet, state: active | hidden | deleting}; `_index` {tablet, name,
fields, number, state: building | ready | staged | deleting, staged: true for one that stays staged when it
is built}. What is `deleting` keeps its document until the checkpointer has removed the contents.
Invariant: a number is never given twice, for rows, memory layers and files name things by it. So the
document with the highest one is not deleted but gets the state `deleted`, and then counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from convexpy.database._entries import Keys
from convexpy.database._system_tables import INDEX, SYSTEM_TABLES, TABLES
from convexpy.values import UNSET, decode_document, encode_value

USER_NUMBERS_FROM = 10_001
"""Numbers of user tables, their tablets and their indexes start here."""
DELETING = "deleting"
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One stored index of a tablet.

    `fields` are the declared ones; keys go on with `_creationTime` and `_id`.
    """

    number: int
    tablet: int
    name: str
    fields: tuple[str, ...]
    state: str = "ready"
    staged: bool = False
    id: str = ""
    top_fields: frozenset[str] = field(init=False)
    """The fields of a document whose change can change its key."""
    plain: bool = field(init=False)
    """No field is inside another: reading them is one look-up each."""
    is_ready: bool = field(init=False)
    """May be queried."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "top_fields", frozenset(path.partition(".")[0] for path in self.fields))
        object.__setattr__(self, "is_ready", self.state == "ready" and not self.staged)
        object.__setattr__(self, "plain", all("." not in path for path in self.fields))

    def key(self, document: Mapping[str, Any], suffix: bytes) -> bytes:
        """Return the key of a document; `suffix` is `TableInfo.key_suffix` of it."""
        if self.plain:
            if len(self.fields) == 1:
                return encode_value(document.get(self.fields[0], UNSET)) + suffix
            return b"".join([encode_value(document.get(name, UNSET)) for name in self.fields]) + suffix
        return b"".join([encode_value(_at(document, path)) for path in self.fields]) + suffix


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNSET
        value = value[name]
    return value


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table, with every index of its tablet, those being built included."""

    name: str
    number: int
    tablet: int
    indexes: tuple[IndexInfo, ...]
    state: str = "active"
    id: str = ""
    by_name: Mapping[str, IndexInfo] = field(init=False)
    is_system: bool = field(init=False)
    """One of ours: app code only sees some, through `ctx.db.system`."""
    index_numbers: list[int] = field(init=False)
    indexed_fields: frozenset[str] = field(init=False)
    """The fields of a document whose change can change any of its keys."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_system", self.number < USER_NUMBERS_FROM)
        object.__setattr__(self, "index_numbers", [index.number for index in self.indexes])
        fields = frozenset[str]().union(*[index.top_fields for index in self.indexes])
        object.__setattr__(self, "indexed_fields", fields)
        # A changed index exists twice while the new one is built: the name means the one that is ready.
        named: dict[str, IndexInfo] = {}
        for index in self.indexes:
            known = named.get(index.name)
            if known is None or not known.is_ready:
                named[index.name] = index
        object.__setattr__(self, "by_name", named)

    @staticmethod
    def key_suffix(document: Mapping[str, Any]) -> bytes:
        """Return what every key of a document ends with."""
        return encode_value(document["_creationTime"]) + encode_value(document["_id"])

    def keys(self, document: Mapping[str, Any]) -> Keys:
        """Return the keys of a document in all indexes."""
        suffix = self.key_suffix(document)
        return [(index.number, key := index.key(document, suffix), key) for index in self.indexes]

    def are_of_all_indexes(self, keys: Keys) -> bool:
        """Whether keys, worked out earlier, are of the indexes that there are now.

        Keys are in the order of their indexes' numbers, and a number is never given again: of as many indexes with the
        same last one, none was added, so none was removed.
        """
        numbers = self.index_numbers
        return len(keys) == len(numbers) and (not numbers or keys[-1][0] == numbers[-1])


class Catalog:
    """All tables and indexes as of one state of the database."""

    def __init__(
        self, tables: Mapping[str, Mapping[str, Any]], indexes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._tables = tables
        self._indexes = indexes

    @classmethod
    def load(cls, tables: Iterable[bytes], indexes: Iterable[bytes]) -> Catalog:
        """Return the catalog of these stored documents."""
        return cls(_by_id(tables), _by_id(indexes))

    def with_document(self, tablet: int, id: str, document: Mapping[str, Any] | None) -> Catalog:
        """Return the catalog after a write to `_tables` or `_index`; to any other tablet: this one."""
        if tablet == TABLES:
            return Catalog(_replaced(self._tables, id, document), self._indexes)
        if tablet == INDEX:
            return Catalog(self._tables, _replaced(self._indexes, id, document))
        return self

    @cached_property
    def by_tablet(self) -> Mapping[int, TableInfo]:
        """Every table, hidden and dropped ones included."""
        indexes: dict[int, list[IndexInfo]] = {}
        for document in self._indexes.values():
            info = _index_info(document)
            if info.state not in (DELETING, DELETED):
                indexes.setdefault(info.tablet, []).append(info)
        found = dict(_SYSTEM)
        for document in self._tables.values():
            if document["state"] == DELETED:
                continue
            tablet = int(document["tablet"])
            own = tuple(sorted(indexes.get(tablet, ()), key=lambda index: index.number))
            found[tablet] = TableInfo(
                document["name"],
                int(document["number"]),
                tablet,
                own,
                document["state"],
                document["_id"],
            )
        return found

    @cached_property
    def by_name(self) -> Mapping[str, TableInfo]:
        """Every active table."""
        return {table.name: table for table in self.by_tablet.values() if table.state == "active"}

    @cached_property
    def queryable(self) -> Mapping[tuple[str, str | None], tuple[int, IndexInfo]]:
        """Tablet and index by the names that an app's query has; None is `by_creation_time`.

        Only what needs no further check: user tables, and indexes that are ready.
        """
        found: dict[tuple[str, str | None], tuple[int, IndexInfo]] = {}
        for table in self.user_tables():
            for name, index in table.by_name.items():
                if index.is_ready:
                    found[table.name, name] = (table.tablet, index)
                    if name == "by_creation_time":
                        found[table.name, None] = (table.tablet, index)
        return found

    @cached_property
    def by_number(self) -> Mapping[int, TableInfo]:
        """Every active table, by the number in ids."""
        return {table.number: table for table in self.by_tablet.values() if table.state == "active"}

    def table_number(self, name: str) -> int | None:
        """Return the number of a table, or None when there is none of that name."""
        table = self.by_name.get(name)
        return table.number if table is not None else None

    def user_tables(self) -> list[TableInfo]:
        """Return the active user tables by name."""
        return sorted((t for t in self.by_name.values() if not t.is_system), key=lambda table: table.name)

    @cached_property
    def _next_number(self) -> int:
        used = [USER_NUMBERS_FROM - 1]
        used += [int(document[part]) for document in self._tables.values() for part in ("number", "tablet")]
        return max(used) + 1

    def stored_numbers(self) -> tuple[set[int], set[int]]:
        """Return the tablets and the indexes that have contents to keep."""
        tables = [table for table in self.by_tablet.values() if table.state != DELETING]
        return {t.tablet for t in tables}, {index.number for t in tables for index in t.indexes}

    def highest_number(self, tablet: int) -> int:
        """Return the highest number ever given.

        To tables and tablets, or, for the tablet of `_index`, indexes.
        """
        documents, parts = (
            (self._tables, ("number", "tablet")) if tablet == TABLES else (self._indexes, ("number",))
        )
        used = [int(document[part]) for document in documents.values() for part in parts]
        return max(used, default=USER_NUMBERS_FROM - 1)

    def next_table_number(self) -> int:
        """Return a number that no table and no tablet ever had."""
        return self.highest_number(TABLES) + 1

    def next_index_number(self) -> int:
        """Return a number that no index ever had."""
        return self.highest_number(INDEX) + 1

    def holds_highest_number(self, tablet: int, id: str) -> bool:
        """Say whether deleting this document of `_tables` or `_index` would free the highest number."""
        document = (self._tables if tablet == TABLES else self._indexes)[id]
        highest = self.highest_number(tablet)
        return highest in (document["number"], document["tablet"] if tablet == TABLES else None)


def _by_id(documents: Iterable[bytes]) -> dict[str, Mapping[str, Any]]:
    decoded = (decode_document(document) for document in documents)
    return {document["_id"]: document for document in decoded}


def _replaced(
    documents: Mapping[str, Mapping[str, Any]], id: str, document: Mapping[str, Any] | None
) -> Mapping[str, Mapping[str, Any]]:
    changed = dict(documents)
    if document is None:
        changed.pop(id, None)
    else:
        changed[id] = document
    return changed


def _index_info(document: Mapping[str, Any]) -> IndexInfo:
    return IndexInfo(
        number=int(document["number"]),
        tablet=int(document["tablet"]),
        name=document["name"],
        fields=tuple(document["fields"]),
        state=document["state"],
        staged=bool(document.get("staged", False)),
        id=document["_id"],
    )


def _system_tables() -> dict[int, TableInfo]:
    found: dict[int, TableInfo] = {}
    for tablet, name, declared in SYSTEM_TABLES:
        indexes = [IndexInfo(tablet, tablet, "by_creation_time", ())]
        indexes += [IndexInfo(number, tablet, index, fields) for number, index, fields in declared]
        found[tablet] = TableInfo(name, 512 + tablet, tablet, tuple(indexes))
    return found


_SYSTEM = _system_tables()
