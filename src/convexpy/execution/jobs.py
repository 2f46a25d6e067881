"""Scheduled jobs as documents of `_scheduled_functions`: scheduling and cancelling are writes like any other.

States: pending → success | failed | canceled for mutations, pending → inProgress → success | failed | canceled for
actions. The timer in the server is only a hint; these documents decide.
"""

from __future__ import annotations

from typing import Any

from convexpy.database import Transaction
from convexpy.errors import ArgumentError
from convexpy.values import size

TABLE = "_scheduled_functions"
FAR_MS = 5 * 365 * 86_400_000


def schedule(transaction: Transaction, at_ms: float, path: str, args: dict[str, Any], now_ms: int) -> str:
    """Insert a pending job that is due at `at_ms`; a time in the past means at once."""
    if not at_ms - now_ms <= FAR_MS:
        raise ArgumentError(f"a function can be scheduled at most five years ahead, not at {at_ms!r}")
    module, _, name = path.partition(":")
    transaction.charges.charge("functions_scheduled", 1)
    transaction.charges.charge("scheduled_function_args_bytes", size(args))
    return transaction.system_insert(
        TABLE,
        {
            "name": f"{module}.js:{name}",
            "args": [args],
            "scheduledTime": float(max(at_ms, 0)),
            "state": {"kind": "pending"},
        },
    )


def cancel(transaction: Transaction, job: str, now_ms: int) -> None:
    """Cancel a job that has not ended; one that has stays as it is."""
    document = transaction.get(job, TABLE, system=True)
    if document is None:
        raise ArgumentError(f"no scheduled function has the id {job!r}")
    if document["state"]["kind"] in ("pending", "inProgress"):
        transaction.system_patch(TABLE, job, {"state": {"kind": "canceled"}, "completedTime": float(now_ms)})
