"""Scheduled jobs and cron jobs inside the transactions that decide about them.

The documents decide: a run of a mutation checks that it is due, runs the function in a sub-transaction and writes how it
ended, all in one transaction. So it happens exactly once. An action is `inProgress` before it starts; found so at the
next start of the server it has failed. That is at most once.
"""

from __future__ import annotations

import math
from typing import Any

from convexpy.database import Transaction
from convexpy.errors import ArgumentError, FunctionNotFound, LimitExceeded
from convexpy.functions import QueryPlan, canonical_path, runs_skipped
from convexpy.limits import SCHEDULED_ARGS_BYTES_MAX, SCHEDULED_WITHIN_MS
from convexpy.protocol.scheduled_jobs import CRONS, JOBS
from convexpy.protocol.system.scheduling import ScheduleJob
from convexpy.sandbox.loader import LoadedApp
from convexpy.values import canonical_number, decode_id, encode_wire

CRON_LOGS = "_cron_job_logs"
INTERRUPTED = "Transient error while executing action"
CRON_LOGS_KEPT = 20
ERROR_LENGTH_MAX = 8192


# Scheduling and canceling


def schedule(transaction: Transaction, app: LoadedApp, now_ms: float, job: ScheduleJob) -> str:
    """Add a job to the transaction; return its id. What a canceled job schedules is canceled at birth.

    Raises:
        FunctionNotFound: there is no such function.
        ArgumentError: it is a query, or the time is out of reach.
        LimitExceeded: too many jobs, or too large arguments.
    """
    path, at_ms = job.function, job.at
    definition = app.functions.get(path)
    if definition is None:
        raise FunctionNotFound(f"Attempted to schedule function at nonexistent path: {path}")
    if definition.kind == "query":
        raise ArgumentError(f"{path} is a query: only mutations and actions can be scheduled")
    if not math.isfinite(at_ms) or abs(at_ms - now_ms) > SCHEDULED_WITHIN_MS:
        raise ArgumentError(f"{path} can be scheduled within five years of now, not for {at_ms!r}")
    size = len(encode_wire(job.args))
    if size > SCHEDULED_ARGS_BYTES_MAX:
        raise LimitExceeded(
            f"the arguments of {path} have {size} bytes, more than the limit for a scheduled function: "
            f"{SCHEDULED_ARGS_BYTES_MAX}",
            limit="scheduled_function_args_bytes",
        )
    transaction.charges.charge("functions_scheduled", 1)
    transaction.charges.charge("scheduled_function_args_bytes", size)
    document: dict[str, Any] = {
        "name": path.replace(":", ".js:"),
        "args": [job.args],
        "scheduledTime": canonical_number(float(at_ms)),
        "state": {"kind": "pending"},
    }
    with transaction.engine():
        if job.parent_job and _is_canceled(transaction, job.parent_job):
            document |= {"state": {"kind": "canceled"}, "completedTime": canonical_number(float(now_ms))}
        return transaction.system_insert(JOBS, document)


def cancel(transaction: Transaction, job: Any, now_ms: float) -> None:
    """Cancel a job that has not ended; one that has ended, or was forgotten since, is left alone.

    Raises:
        ArgumentError: it is not a valid id of a scheduled function.
    """
    decoded = decode_id(job) if isinstance(job, str) else None
    if decoded is None or decoded[0] != transaction.catalog.by_name[JOBS].number:
        raise ArgumentError(
            f"Invalid argument `id` for `scheduler.cancel`: {job!r} is not a valid id of a scheduled function",
            code="InvalidId",
        )
    with transaction.engine():
        document = transaction.get(str(job), JOBS, system=True)
        if document is not None and document["state"]["kind"] in ("pending", "inProgress"):
            _end(transaction, str(job), {"kind": "canceled"}, now_ms)


def _is_canceled(transaction: Transaction, job: str) -> bool:
    document = transaction.get(job, JOBS, system=True)
    return document is not None and document["state"]["kind"] == "canceled"


def _end(transaction: Transaction, job: str, state: dict[str, Any], now_ms: float) -> None:
    ended = {"state": state, "completedTime": canonical_number(float(now_ms))}
    transaction.system_patch(JOBS, job, ended)


def _ending(error: str | None) -> dict[str, Any]:
    if error is None:
        return {"kind": "success"}
    return {"kind": "failed", "error": error[:ERROR_LENGTH_MAX]}


# Runs


class JobRun:
    """A run of a scheduled job."""

    def __init__(self, transaction: Transaction, document: dict[str, Any]) -> None:
        self._transaction = transaction
        self._id: str = document["_id"]
        self._state: str = document["state"]["kind"]
        self.path: str = canonical_path(document["name"])
        self.args: dict[str, Any] = document["args"][0]

    def is_due(self, now_ms: float) -> bool:
        """Say whether it is still to be run."""
        return self._state == "pending"

    def begin(self) -> None:
        """Write that it is running: for actions."""
        with self._transaction.engine():
            self._transaction.system_patch(JOBS, self._id, {"state": {"kind": "inProgress"}})

    def finish(self, error: str | None, *, began_ms: float, now_ms: float, request_id: str) -> int:
        """Write how it ended, unless it was canceled meanwhile; return 0, for there is no next run to skip."""
        with self._transaction.engine():
            document = self._transaction.get(self._id, JOBS, system=True)
            if document is not None and document["state"]["kind"] in ("pending", "inProgress"):
                _end(self._transaction, self._id, _ending(error), now_ms)
        return 0


class CronRun:
    """A run of a cron job."""

    def __init__(self, transaction: Transaction, document: dict[str, Any]) -> None:
        self._transaction = transaction
        self._id: str = document["_id"]
        self._document = document
        self.path: str = document["function"]
        self.args: dict[str, Any] = document["args"]

    def is_due(self, now_ms: float) -> bool:
        """Say whether its time has come and no run is going on."""
        idle = self._document["state"]["kind"] != "inProgress"
        return idle and bool(self._document["nextRun"] <= now_ms)

    def begin(self) -> None:
        """Write that it is running: for actions."""
        with self._transaction.engine():
            self._transaction.system_patch(CRONS, self._id, {"state": {"kind": "inProgress"}})

    def finish(self, error: str | None, *, began_ms: float, now_ms: float, request_id: str) -> int:
        """Write how it ended and plan the next run; return how many runs were skipped because they are late."""
        transaction = self._transaction
        with transaction.engine():
            document = transaction.get(self._id, CRONS, system=True)
            if document is None:
                return 0  # removed by a push meanwhile
            skipped, next_ms = 0, document["nextRun"]
            if next_ms <= now_ms:
                skipped, next_ms = runs_skipped(document["cronSpec"], next_ms, now_ms)
            ran = {
                "ts": canonical_number(float(began_ms)),
                "status": _ending(error),
                "ms": canonical_number(round(max(now_ms - began_ms, 0.0), 3) + 0.0),
                "requestId": request_id,
            }
            failures = 0 if error is None else document.get("failuresInARow", 0) + 1
            change = {
                "state": {"kind": "idle"},
                "nextRun": math.floor(next_ms),
                "lastRun": ran,
                "failuresInARow": failures,
            }
            transaction.system_patch(CRONS, self._id, change)
            name = document["name"]
            _log_cron(transaction, {"name": name, "function": self.path, **ran})
            if skipped:
                status = {"kind": "skipped", "count": skipped}
                _log_cron(
                    transaction,
                    {
                        "name": name,
                        "function": self.path,
                        "ts": canonical_number(float(now_ms)),
                        "status": status,
                    },
                )
        return skipped


def _log_cron(transaction: Transaction, entry: dict[str, Any]) -> None:
    plan = QueryPlan(CRON_LOGS, "by_name", equal=(("name", entry["name"]),), system=True)
    known = list(transaction.stream(plan))
    for old in known[: max(0, len(known) + 1 - CRON_LOGS_KEPT)]:
        transaction.system_delete(CRON_LOGS, old["_id"])
    transaction.system_insert(CRON_LOGS, entry)


def find_run(transaction: Transaction, job: str) -> JobRun | CronRun | None:
    """Return the run that an id stands for: of a scheduled job or of a cron job; None if it is gone."""
    decoded = decode_id(job)
    is_cron = decoded is not None and decoded[0] == transaction.catalog.by_name[CRONS].number
    with transaction.engine():
        document = transaction.get(job, CRONS if is_cron else JOBS, system=True)
    if document is None:
        return None
    return CronRun(transaction, document) if is_cron else JobRun(transaction, document)


def interrupt(transaction: Transaction, now_ms: float, limit: int) -> int:
    """Fail runs of actions that a server which is gone has left `inProgress`; return how many."""
    plan = QueryPlan(JOBS, "by_state_and_time", equal=(("state.kind", "inProgress"),), system=True)
    with transaction.engine():
        left = list(transaction.stream(plan, limit=limit))
        for document in left:
            _end(transaction, document["_id"], _ending(INTERRUPTED), now_ms)
        crons = [
            document
            for document in transaction.stream(QueryPlan(CRONS, system=True))
            if document["state"]["kind"] == "inProgress"
        ]
    for document in crons:
        run = CronRun(transaction, document)
        run.finish(INTERRUPTED, began_ms=now_ms, now_ms=now_ms, request_id="")
    return len(left)
