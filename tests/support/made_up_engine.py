"""An engine of dictionaries under ctx, for tests of the facade."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from convexpy.functions import QueryPlan
from convexpy.values import UNSET


class Calls:
    """What every made-up host has."""

    random = Random(7)
    log = logging.getLogger("made_up")
    request_id = "3fa1c0de9b12aa07"
    function = "messages:send"
    client_address = "127.0.0.1"
    user_agent = None

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.results: dict[str, Any] = {}
        self.claims: dict[str, Any] | None = None

    def now_ms(self) -> int:
        return 1_000

    def usage(self) -> Mapping[str, tuple[int, int]]:
        return {"documents_read": (3, 10), "bytes_read": (12, 10)}


class Tables(Calls):
    """A transaction over documents in dictionaries; ids are `table/number`."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        super().__init__()
        self.documents = {
            f"{table}/{number}": {"_id": f"{table}/{number}", **document}
            for table, documents in tables.items()
            for number, document in enumerate(documents)
        }
        self.plans: list[QueryPlan] = []

    @property
    def database(self) -> "Tables":
        return self

    def get(self, id: str, table: str | None, *, system: bool = False) -> dict[str, Any] | None:
        self.calls.append(("get", id, table, system))
        return self.documents.get(id)

    def stream(self, plan: QueryPlan, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        self.plans.append(plan)
        found = [each for id, each in self.documents.items() if id.startswith(f"{plan.table}/")]
        if plan.order == "desc":
            found.reverse()
        fitting = [each for each in found if all(keep(each) for keep in plan.filters)]
        return iter(fitting[:limit])

    def first(self, plan: QueryPlan) -> dict[str, Any] | None:
        return next(self.stream(plan, limit=1), None)

    def count(self, plan: QueryPlan) -> int:
        return len(list(self.stream(plan)))

    def paginate(self, plan: QueryPlan, opts: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append(("paginate", dict(opts)))
        page = list(self.stream(plan, limit=int(opts["numItems"])))
        return {
            "page": page,
            "isDone": True,
            "continueCursor": "end",
            "splitCursor": None,
            "pageStatus": None,
        }

    def normalize_id(self, table: str, text: str, *, system: bool = False) -> str | None:
        return text if text.startswith(f"{table}/") else None

    def insert(self, table: str, value: dict[str, Any]) -> str:
        id = f"{table}/{len(self.documents)}"
        self.documents[id] = {"_id": id, **value}
        return id

    def patch(self, id: str, table: str | None, value: dict[str, Any]) -> None:
        for name, item in value.items():
            if item is UNSET:
                self.documents[id].pop(name, None)
            else:
                self.documents[id][name] = item

    def replace(self, id: str, table: str | None, value: dict[str, Any]) -> None:
        self.documents[id] = {"_id": id, **value}

    def delete(self, id: str, table: str | None) -> None:
        del self.documents[id]

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any:
        if operation == "identity":
            return self.claims
        if operation == "call":
            path = payload["path"]
            self.calls.append((payload["kind"], path, payload["args"], payload.get("limits")))
            return self.results.get(path)
        if operation in ("schedule", "cancel", "storage_delete"):
            self.calls.append((operation, *payload.values()))
        return {
            "schedule": "job",
            "storage_url": f"/{payload.get('id')}",
            "storage_upload_url": "/upload",
        }.get(operation)


class Actions(Calls):
    """An action's engine that notes requests and answers from `results`; stored files are kept in `stored`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[bytes] = []
        self.spool = Path()

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any:
        self.calls.append((operation, payload))
        if operation == "storage_store":
            path = self.spool / payload["spooled"]
            self.stored.append(path.read_bytes())
            path.unlink()
            return "file"
        return self.results.get(payload.get("path", operation), self.results.get(operation))

    async def request(self, operation: str, payload: dict[str, Any]) -> Any:
        return self.request_blocking(operation, payload)
