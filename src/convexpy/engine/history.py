"""Earlier moments: what queries at a timestamp are given to read the data as of then."""

from __future__ import annotations

import asyncio

from convexpy.database import HistoryLost, Undone
from convexpy.engine.timeline import LogTimeline
from convexpy.errors import RequestError
from convexpy.limits import HISTORY_BYTES_MAX
from convexpy.persistence import LogStore


class OutOfRetention(RequestError):
    """The state of a moment is not kept, or not any more."""

    def __init__(self) -> None:
        super().__init__(
            "that moment is not kept: it lies too far back, too much was written since, or the code, the schema or the "
            "variables have changed",
            status=503,
            code="OutOfRetention",
        )


class History:
    """Reads the log for what was written after a moment."""

    def __init__(self, *, log: LogStore, timeline: LogTimeline) -> None:
        self._log = log
        self._timeline = timeline

    async def rewind(self, ts: int) -> bytes:
        """Return the `Rewind` from the newest durable row to timestamp `ts`, encoded; empty if nothing was written since.

        It holds for a call that is sent in the same turn of the event loop.

        Raises:
            OutOfRetention: the moment cannot be had.
        """
        while ts < self._timeline.ts:
            try:
                undone, row = await asyncio.to_thread(self._undone, ts)
                newer = [tail for tail in self._timeline.tail if tail.seq > row]
                if row + len(newer) == self._timeline.row:
                    return (
                        Undone(tail.entry for tail in reversed(newer))
                        .then(undone)
                        .encoded(self._timeline.row)
                    )
            except HistoryLost as error:
                raise OutOfRetention from error
        return b""

    def _undone(self, ts: int) -> tuple[Undone, int]:
        rows = self._log.rows_since(ts, HISTORY_BYTES_MAX)
        if rows is None:
            raise HistoryLost
        return Undone(row.entry for row in reversed(rows[1:])), rows[-1].seq
