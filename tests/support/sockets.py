"""A raw sync socket for tests: sends JSON, checks the chain of state versions, keeps the newest result of each query."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

WAIT_S = 60.0
START = {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}


def ts_of(text: str) -> int:
    """Return a wire timestamp as a number."""
    return int.from_bytes(base64.b64decode(text), "little")


class SyncSocket:
    """One WebSocket; everything that arrives is kept in `received`."""

    def __init__(
        self,
        url: str,
        path: str = "/api/1.48.0/sync",
        *,
        session: str | None = None,
        hello: bool = True,
        **options: Any,
    ) -> None:
        defaults = {
            "max_size": None,
            "max_queue": None,
            "compression": None,
            "ping_interval": None,
            "close_timeout": 2,
            "open_timeout": 60,
        }
        options = {**defaults, **options}
        self._stack = contextlib.ExitStack()
        self.connection = self._stack.enter_context(connect(url.replace("http", "ws", 1) + path, **options))
        self.session = session or str(uuid.uuid4())
        self.received: list[dict[str, Any]] = []
        self.version = START
        self.results: dict[int, Any] = {}
        self._query_set = 0
        self._chunks: list[str] = []
        if hello:
            self.send(
                type="Connect", sessionId=self.session, connectionCount=0, lastCloseReason="InitialConnect"
            )

    def __enter__(self) -> SyncSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # To the server

    def send(self, **message: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def modify(self, *modifications: dict[str, Any]) -> None:
        """Send the next ModifyQuerySet."""
        self._query_set += 1
        self.send(
            type="ModifyQuerySet",
            baseVersion=self._query_set - 1,
            newVersion=self._query_set,
            modifications=list(modifications),
        )

    def subscribe(self, query_id: int, path: str, **args: Any) -> None:
        """Add one query."""
        self.modify(add(query_id, path, **args))

    def mutation(self, request_id: int, path: str, **args: Any) -> None:
        """Send a mutation."""
        self.send(type="Mutation", requestId=request_id, udfPath=path, args=[args])

    def action(self, request_id: int, path: str, **args: Any) -> None:
        """Send an action."""
        self.send(type="Action", requestId=request_id, udfPath=path, args=[args])

    # From the server

    def receive(self, timeout: float = WAIT_S) -> dict[str, Any]:
        """Return the next message; chunks are put together, Transitions checked and applied."""
        while True:
            try:
                text = self.connection.recv(timeout=timeout)
            except TimeoutError:
                raise AssertionError(f"nothing within {timeout} s; before: {self._seen()}") from None
            assert isinstance(text, str)
            message: dict[str, Any] = json.loads(text)
            if message["type"] == "TransitionChunk":
                assert message["partNumber"] == len(self._chunks)
                self._chunks.append(message["chunk"])
                if len(self._chunks) < message["totalParts"]:
                    continue
                message = {**json.loads("".join(self._chunks)), "chunks": len(self._chunks)}
                self._chunks.clear()
            else:
                assert not self._chunks, "something came between two chunks"
            self.received.append(message)
            if message["type"] == "Transition":
                self._apply(message)
            return message

    def _seen(self) -> str:
        return str([{**message, "modifications": "…"} for message in self.received[-5:]])[:2000]

    def _apply(self, message: dict[str, Any]) -> None:
        start, end = message["startVersion"], message["endVersion"]
        assert start == self.version, f"{start} does not follow {self.version}"
        assert end["querySet"] >= start["querySet"]
        assert end["identity"] >= start["identity"]
        assert ts_of(end["ts"]) >= ts_of(start["ts"])
        self.version = end
        ids = [modification["queryId"] for modification in message["modifications"]]
        assert ids == sorted(set(ids))
        for modification in message["modifications"]:
            if modification["type"] == "QueryRemoved":
                self.results.pop(modification["queryId"], None)
                continue
            assert "journal" in modification
            assert isinstance(modification["logLines"], list)
            self.results[modification["queryId"]] = modification.get("value", modification)

    def until(self, fact: Callable[[dict[str, Any]], bool], what: str = "the message") -> dict[str, Any]:
        """Return the next message for which `fact` holds."""
        deadline = time.monotonic() + WAIT_S
        while True:
            message = self.receive(max(deadline - time.monotonic(), 0.01))
            if fact(message):
                return message
            assert time.monotonic() < deadline, f"{what} did not come: {self._seen()}"

    def transition(self) -> dict[str, Any]:
        """Return the next Transition."""
        return self.until(lambda message: message["type"] == "Transition", "a Transition")

    def response(self, request_id: int) -> dict[str, Any]:
        """Return the response to a request."""
        return self.until(lambda message: message.get("requestId") == request_id, f"response {request_id}")

    def until_result(self, query_id: int, fact: Callable[[Any], bool]) -> Any:
        """Return the result of a query as soon as `fact` holds for it."""
        while query_id not in self.results or not fact(self.results[query_id]):
            self.transition()
        return self.results[query_id]

    def until_closed(self) -> tuple[int | None, str]:
        """Read on until the server closes; return code and reason."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                self.receive(max(deadline - time.monotonic(), 0.01))
            except ConnectionClosed:
                return self.connection.close_code, self.connection.close_reason or ""
        raise AssertionError(f"not closed within {WAIT_S} s: {self._seen()}")


def add(query_id: int, path: str, **args: Any) -> dict[str, Any]:
    """Return the modification that adds a query."""
    return {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]}


def remove(query_id: int) -> dict[str, Any]:
    """Return the modification that removes a query."""
    return {"type": "Remove", "queryId": query_id}
