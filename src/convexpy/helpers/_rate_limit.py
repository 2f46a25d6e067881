"""Rate limits as documents: a limit is part of the mutation's transaction, so what is rolled back was not used up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from convexpy.errors import ArgumentError
from convexpy.functions import MutationCtx
from convexpy.schema import TableDefinition, define_table
from convexpy.values import Duration, span_ms, v

TABLE = "rateLimits"

rate_limit_tables: Mapping[str, TableDefinition] = {
    TABLE: define_table(
        {"name": v.string(), "key": v.nullable(v.string()), "value": v.number(), "ts": v.number()}
    ).index("by_name_and_key", ["name", "key"])
}
"""For the schema: `define_schema({**rate_limit_tables, ...})`."""


class RateLimitStatus(msgspec.Struct, frozen=True):
    """Whether the caller may go on; if not, when to try again, in milliseconds since the epoch."""

    ok: bool
    retry_at: float | None = None


def rate_limit(
    ctx: MutationCtx,
    name: str,
    /,
    *,
    rate: float,
    period: Duration,
    capacity: float | None = None,
    key: str | None = None,
    count: float = 1,
    kind: Literal["token bucket", "fixed window"] = "token bucket",
) -> RateLimitStatus:
    """Take `count` of what a limit allows: `rate` per `period`, and at most `capacity` at once (default: the rate).

    `key` gives everyone a limit of his own. A token bucket fills all the time, a fixed window at its beginning. Nothing is
    taken if it is not all there.

    Raises:
        ArgumentError: a number makes no sense, or `count` is more than there ever is.
    """
    period_ms = span_ms(period)
    most = float(rate if capacity is None else capacity)
    if not (rate > 0 and period_ms > 0 and most > 0 and count > 0 and math.isfinite(most)):
        raise ArgumentError(f"rate limit {name!r}: rate, period, capacity and count are above zero")
    if count > most:
        raise ArgumentError(f"rate limit {name!r}: {count:g} at once is more than the capacity {most:g}")
    now = float(ctx.now())
    found = ctx.db.query(TABLE).with_index("by_name_and_key", name=name, key=key).unique()
    value, ts = (most, now) if found is None else (float(found["value"]), float(found["ts"]))
    if kind == "fixed window":
        windows = math.floor(max(now - ts, 0.0) / period_ms)
        value, ts = min(most, value + windows * rate), ts + windows * period_ms
        missing_windows = math.ceil((count - value) / rate)
        retry_at = ts + missing_windows * period_ms
    else:
        value, ts = min(most, value + max(now - ts, 0.0) * rate / period_ms), now
        retry_at = math.ceil(now + (count - value) * period_ms / rate)
    if value < count:
        return RateLimitStatus(ok=False, retry_at=retry_at)
    left: dict[str, Any] = {"name": name, "key": key, "value": value - count, "ts": ts}
    if found is None:
        ctx.db.insert(TABLE, left)
    else:
        ctx.db.patch(found["_id"], left)
    return RateLimitStatus(ok=True)
