"""Limits by account: after some attempts each further one has to wait, longer and longer, known account or not.

An attempt counts before it is made, so that many at once are no way around; success forgets them.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from convexpy.auth._tables import LIMITS
from convexpy.functions import MutationCtx


class Delays(msgspec.Struct, frozen=True):
    """`free` attempts at once, then a wait of `first` that doubles up to `longest`; forgotten after `forgotten`."""

    free: int
    first: timedelta
    longest: timedelta
    forgotten: timedelta = timedelta(hours=1)

    def after_ms(self, attempts: int) -> float:
        """Return how long to wait after so many attempts, in milliseconds."""
        beyond = attempts - self.free
        if beyond < 0:
            return 0.0
        return min(self.first.total_seconds() * 2.0 ** min(beyond, 40), self.longest.total_seconds()) * 1000


def take_attempt(ctx: MutationCtx, key: str, delays: Delays) -> float | None:
    """Count an attempt. Return None if it may be made, else from when on, in milliseconds since the epoch."""
    now = float(ctx.now())
    found = ctx.db.query(LIMITS).with_index("by_key", key=key).unique()
    if found is None:
        _sweep(ctx, now - delays.forgotten.total_seconds() * 1000)
        waits = delays.after_ms(1)
        ctx.db.insert(LIMITS, {"key": key, "attempts": 1, "nextTime": now + waits, "lastTime": now})
        return None
    if now < found["nextTime"]:
        return float(found["nextTime"])
    is_old = now - found["lastTime"] > delays.forgotten.total_seconds() * 1000
    attempts = 1 if is_old else int(found["attempts"]) + 1
    changes = {"attempts": attempts, "nextTime": now + delays.after_ms(attempts), "lastTime": now}
    ctx.db.patch(found["_id"], changes)
    return None


def forget_attempts(ctx: MutationCtx, key: str) -> None:
    """Start again: the last attempt was successful."""
    found = ctx.db.query(LIMITS).with_index("by_key", key=key).unique()
    if found is not None:
        ctx.db.delete(found["_id"])


def _sweep(ctx: MutationCtx, before: float) -> None:
    old = ctx.db.query(LIMITS).with_index("by_last_time", lambda q: q.lt("lastTime", before)).take(2)
    for each in old:
        ctx.db.delete(each["_id"])
