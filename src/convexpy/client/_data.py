"""Documents of a deployment from outside: tables, pages of documents, single changes, and Python evaluated there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.client._errors import FunctionFailed
from convexpy.protocol.admin_api import TableInfo

if TYPE_CHECKING:
    from convexpy.client._admin import AdminClient

PAGE = 1000


@dataclass(frozen=True)
class DocumentQuery:
    """Which documents of a table: through an index from `lower` to `upper`, and where a condition holds.

    Bounds are `(field, value, inclusive)`; values are Convex's JSON encoding.
    """

    table: str
    order: str = "desc"
    index: str | None = None
    equal: Sequence[tuple[str, Any]] = field(default=())
    lower: tuple[str, Any, bool] | None = None
    upper: tuple[str, Any, bool] | None = None
    where: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the deployment takes it."""
        described: dict[str, Any] = {
            "table": self.table,
            "order": self.order,
            "index": self.index,
            "equal": [list(pair) for pair in self.equal],
            "where": self.where,
        }
        for name, bound in (("lower", self.lower), ("upper", self.upper)):
            if bound is not None:
                described[name] = dict(zip(("field", "value", "inclusive"), bound, strict=True))
        return described


class DataClient:
    """Works through an `AdminClient`. Documents are Convex's JSON encoding.

    Every method raises `Unreachable` if nothing answers and `DeploymentError` if the deployment refuses.
    """

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    def _call(self, function: str, args: Mapping[str, Any], *, decode: bool = False) -> Any:
        answer = self._client.admin_request(
            f"/api/convexpy/data/{function}", {"args": args, "decode": decode}
        )
        return answer["value"]

    def tables(self) -> list[TableInfo]:
        """Return every table with its size and its indexes."""
        return self._client.tables()

    def page(
        self, query: DocumentQuery, count: int, cursor: str | None, *, decode: bool = False
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return at most `count` documents and the cursor of what follows, None at the end.

        A page under a condition may hold fewer, even none, before the end.
        """
        opts = {"numItems": count, "cursor": cursor}
        found = self._call("page", {**query.to_json(), "paginationOpts": opts}, decode=decode)
        return found["page"], None if found["isDone"] else found["continueCursor"]

    def documents(self, query: DocumentQuery, *, decode: bool = False) -> Iterator[dict[str, Any]]:
        """Yield all documents, page by page."""
        cursor: str | None = None
        while True:
            page, cursor = self.page(query, PAGE, cursor, decode=decode)
            yield from page
            if cursor is None:
                return

    def get(self, id: str, *, decode: bool = False) -> dict[str, Any] | None:
        """Return `{table, document}`, or None if there is no such document."""
        found: dict[str, Any] | None = self._call("get", {"id": id}, decode=decode)
        return found

    def insert(self, table: str, documents: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert documents, all of them or none; return their ids."""
        return list(self._call("insert", {"table": table, "documents": list(documents)}))

    def patch(self, id: str, changes: Mapping[str, Any], unset: Sequence[str] = ()) -> None:
        """Set fields of a document, and remove those of `unset`."""
        self._call("patch", {"id": id, "set": dict(changes), "unset": list(unset)})

    def delete(self, ids: Sequence[str]) -> int:
        """Delete documents, all of them or none; return how many."""
        return int(self._call("delete", {"ids": list(ids)})["deleted"])

    def delete_where(self, query: DocumentQuery) -> Iterator[int]:
        """Delete what the query finds, in several transactions; yield how many each deleted."""
        cursor: str | None = None
        while True:
            done = self._call("delete", {**query.to_json(), "cursor": cursor})
            yield int(done["deleted"])
            if done["isDone"]:
                return
            cursor = done["continueCursor"]


class Evaluated(msgspec.Struct, frozen=True):
    """What an input gave: its value as Convex's JSON and as text, what was printed, and what it writes.

    `changes` are `{table, id, kind, document}`; `lost` names variables that cannot be kept for later inputs.
    """

    value: Any
    text: str
    log_lines: list[str]
    changes: list[dict[str, Any]]
    lost: list[str]


class Evaluator:
    """A session: variables, imports and definitions of earlier inputs are there for the later ones."""

    def __init__(self, client: AdminClient, *, writes: bool = False) -> None:
        self._client = client
        self._writes = writes
        self._scope: dict[str, Any] = {}
        self._prelude: list[str] = []

    def evaluate(
        self, source: str, *, commit: list[dict[str, Any]] | None = None, decode: bool = False
    ) -> Evaluated:
        """Run Python in one transaction. Nothing is written without `commit`, the changes that were agreed to.

        Raises:
            FunctionFailed: it is not valid Python, it raised, or (`ChangedMeanwhile`) it would write something else now.
        """
        args: dict[str, Any] = {
            "source": source,
            "scope": self._scope,
            "prelude": self._prelude,
            "write": self._writes,
        }
        if commit is not None:
            args["commit"] = [{**change, "document": None} for change in commit]
        body = {"args": args, "writes": self._writes, "decode": decode}
        answer = self._client.admin_request("/api/convexpy/evaluate", body)
        logs: list[str] = answer["logLines"]
        if "error" in answer:
            failed = answer["error"]
            raise FunctionFailed(failed["message"], code=failed["code"], log_lines=logs)
        found = answer["value"]
        self._scope, self._prelude = found["scope"], found["prelude"]
        return msgspec.convert({**found, "log_lines": logs}, Evaluated)
