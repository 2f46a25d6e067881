"""Results of queries that are asked for again: as long as nothing that a query read has changed, it need not run.

Most queries are not: a result is kept when its query has run before, for keeping one costs more than what is saved by it.

One entry serves everybody unless the query read who calls it. A result that depends on the call itself (its time, its
random numbers, limits), or read no data at all, is never kept. What a function takes from the system directly, such as
`time.time()`, is not known, so a result is used for a second at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from convexpy.engine.outcome import Outcome
from convexpy.engine.timeline import LogTimeline
from convexpy.protocol.frames import Result

LIFE_S = 1.0
ENTRY_OVERHEAD_BYTES = 1000
ASKED_MAX = 16_384
"""So many queries are remembered to have run. A hash that two of them share only keeps a result too early."""
Key = tuple[str, bytes, bytes | None]
"""Path, arguments as they were sent, and the caller's claims: None where the query does not depend on them."""


@dataclass(slots=True)
class _Entry:
    outcome: Outcome
    result: Result
    row: int
    """No commit up to this log position has touched what was read."""
    until_s: float
    size: int


class QueryCache:
    """Results by function, arguments and caller; `bytes_max` bounds them, 0 keeps none."""

    def __init__(
        self, timeline: LogTimeline, *, bytes_max: int, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._timeline = timeline
        self._bytes_max = bytes_max
        self._now_s = now_s
        self._entries: dict[Key, _Entry] = {}  # the oldest first
        self._bytes = 0
        self._asked: set[int] = set()

    def find(self, path: str, args: bytes, claims: bytes) -> Outcome | None:
        """Return the result that the query would have now, if that is known."""
        for key in ((path, args, None), (path, args, claims)):
            entry = self._entries.get(key)
            if entry is not None:
                return self._checked(key, entry)
        return None

    def _checked(self, key: Key, entry: _Entry) -> Outcome | None:
        timeline = self._timeline
        if self._now_s() > entry.until_s or not timeline.untouched_since(entry.row, entry.result.reads):
            self._drop(key)
            return None
        entry.row = timeline.row
        found = entry.outcome
        return Outcome(
            found.value, None, found.logs, timeline.ts, timeline.row, entry.result, 0.0, cached=True
        )

    def keep(self, path: str, args: bytes, claims: bytes, outcome: Outcome) -> None:
        """Remember a result that no commit has touched so far."""
        asked = hash((path, args))
        if asked not in self._asked:
            if len(self._asked) >= ASKED_MAX:
                self._asked.clear()
            self._asked.add(asked)
            return
        result = outcome.result
        # A query without reads costs little, and its result depends on something else: the time, or its process.
        if outcome.failure is not None or result is None or result.reads_call or not result.reads:
            return
        size = (
            ENTRY_OVERHEAD_BYTES
            + len(args)
            + len(outcome.value)
            + sum(len(line.text) for line in outcome.logs)
        )
        size += sum(len(lower) + len(upper or b"") for _, lower, upper in result.reads)
        key = (path, args, claims if result.reads_identity else None)
        self._drop(key)
        if size > self._bytes_max:
            return
        now_s = self._now_s()
        self._entries[key] = _Entry(outcome, result, outcome.row, now_s + LIFE_S, size)
        self._bytes += size
        while self._bytes > self._bytes_max or next(iter(self._entries.values())).until_s < now_s:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size

    def clear(self) -> None:
        """Forget everything: another version of the app, or other variables, are live."""
        self._entries.clear()
        self._bytes = 0
