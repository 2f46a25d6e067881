"""Cron jobs as the official tools read them: documents of `_cron_jobs`, `_cron_next_run` and `_cron_job_logs`."""

from __future__ import annotations

from typing import Any

from convexpy.functions import QueryPlan
from convexpy.protocol.scheduled_jobs import CRONS
from convexpy.sandbox import jobs
from convexpy.sandbox.host import CallContext
from convexpy.values import Int64, encode_wire

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def list_cron_jobs(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every cron job with `lastRun` (or None) and `nextRun`, sorted by name. Times are nanoseconds."""
    with context.transaction.engine():
        crons = sorted(
            context.transaction.stream(QueryPlan(CRONS, system=True)), key=lambda cron: str(cron["name"])
        )
        return [_job(cron, _last_run(context, cron)) for cron in crons]


def _job(cron: dict[str, Any], last: dict[str, Any] | None) -> dict[str, Any]:
    target = _target(cron)
    return {
        "_id": cron["_id"],
        "_creationTime": cron["_creationTime"],
        "name": cron["name"],
        "cronSpec": {**target, "cronSchedule": _schedule(cron["cronSpec"])},
        "lastRun": None if last is None else {**last, **target},
        "nextRun": {
            "_id": cron["_id"],
            "_creationTime": cron["_creationTime"],
            "cronJobId": cron["_id"],
            "state": {"type": "inProgress" if cron["state"]["kind"] == "inProgress" else "pending"},
            "prevTs": None if last is None else last["ts"],
            "nextTs": _ns(cron["nextRun"]),
        },
    }


def _target(cron: dict[str, Any]) -> dict[str, Any]:
    module, _, name = str(cron["function"]).rpartition(":")
    return {"udfPath": f"{module}.js:{name}", "udfArgs": encode_wire([cron["args"]])}


def _schedule(spec: dict[str, Any]) -> dict[str, Any]:
    found = {name: value if isinstance(value, str) else Int64(round(value)) for name, value in spec.items()}
    if "dayOfWeek" in spec:
        found["dayOfWeek"] = Int64(_WEEKDAYS.index(spec["dayOfWeek"]))
    return found


def _last_run(context: CallContext, cron: dict[str, Any]) -> dict[str, Any] | None:
    plan = QueryPlan(
        jobs.CRON_LOGS, "by_name", equal=(("name", cron["name"]),), order="desc", system=True
    )  # fmt: skip
    for entry in context.transaction.stream(plan):
        status = entry["status"]
        if status["kind"] != "skipped":
            failed = status["kind"] == "failed"
            return {
                "_id": entry["_id"],
                "_creationTime": entry["_creationTime"],
                "name": entry["name"],
                "ts": _ns(entry["ts"]),
                "status": {"type": "err", "error": status["error"]}
                if failed
                else {"type": "success", "result": None},
                "logLines": {"logLines": [], "isTruncated": False},
                "executionTime": entry.get("ms", 0) / 1000,
            }
    return None


def _ns(ms: float) -> Int64:
    return Int64(round(ms * 1e6))


FUNCTIONS = {"_system/frontend/listCronJobs": list_cron_jobs}
