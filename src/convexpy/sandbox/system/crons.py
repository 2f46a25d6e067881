"""Cron jobs: what tools list and run, and the documents that the official dashboard reads."""

from __future__ import annotations

from convexpy.errors import ArgumentError, FunctionNotFound
from convexpy.functions import QueryPlan, next_run_ms
from convexpy.protocol.scheduled_jobs import CRONS
from convexpy.protocol.system import crons as calls
from convexpy.protocol.system.scheduling import ScheduleJob
from convexpy.sandbox import jobs
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import ConvexObject, Document, Int64, canonical_number, encode_wire

NEXT_RUNS = 3
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def _crons(context: CallContext) -> dict[str, Document]:
    with context.transaction.engine():
        found = list(context.transaction.stream(QueryPlan(CRONS, system=True)))
    return {document["name"]: document for document in found}


def replace_crons(context: CallContext, crons: list[calls.PlannedCron]) -> None:
    """Make these the cron jobs, as part of a push.

    A job of the same name and schedule keeps its next run, whatever else has changed.
    """
    transaction, known = context.transaction, _crons(context)
    with transaction.engine():
        for cron in crons:
            wanted: Document = {"cronSpec": cron.schedule, "function": cron.function, "args": cron.args}
            have = known.pop(cron.name, None)
            planned = {"nextRun": canonical_number(cron.next_run)}
            if have is None:
                transaction.system_insert(
                    CRONS, {"name": cron.name, **wanted, **planned, "state": {"kind": "idle"}}
                )
            elif have["cronSpec"] != cron.schedule:
                transaction.system_patch(CRONS, have["_id"], {**wanted, **planned})
            elif any(have[field] != value for field, value in wanted.items()):
                transaction.system_patch(CRONS, have["_id"], wanted)
        for name, gone in known.items():
            transaction.system_delete(CRONS, gone["_id"])
            plan = QueryPlan(jobs.CRON_LOGS, "by_name", equal=(("name", name),), system=True)
            for entry in list(transaction.stream(plan)):
                transaction.system_delete(jobs.CRON_LOGS, entry["_id"])


def following_runs(schedule: ConvexObject, next_run: float) -> list[float]:
    """Return when a cron job runs next, and after that; fewer if its schedule comes to an end."""
    found = [next_run]
    while len(found) < NEXT_RUNS:
        try:
            found.append(canonical_number(float(next_run_ms(schedule, found[-1]))))
        except StopIteration:
            break
    return found


@handles(calls.ListCrons)
def list_crons(context: CallContext, call: calls.ListCrons) -> list[calls.CronJob]:
    return [
        calls.CronJob(
            name=cron["name"],
            cron_spec=cron["cronSpec"],
            function=cron["function"],
            args=cron["args"],
            next_run=cron["nextRun"],
            state=cron["state"],
            next_runs=following_runs(cron["cronSpec"], cron["nextRun"]),
            last_run=cron.get("lastRun"),
            failures_in_a_row=cron.get("failuresInARow", 0),
        )
        for _, cron in sorted(_crons(context).items())
    ]


@handles(calls.ListCronRuns)
def cron_history(context: CallContext, call: calls.ListCronRuns) -> list[ConvexObject]:
    plan = QueryPlan(
        jobs.CRON_LOGS, "by_name", equal=(("name", call.name),), order="desc", system=True
    )  # fmt: skip
    with context.transaction.engine():
        return [
            {name: value for name, value in entry.items() if not name.startswith("_")}
            for entry in context.transaction.stream(plan)
        ]


@handles(calls.RunCron)
def run_cron(context: CallContext, call: calls.RunCron) -> str:
    cron = _crons(context).get(call.name)
    if cron is None:
        raise ArgumentError(f"there is no cron job {call.name!r}", code="CronNotFound")
    if cron["function"] not in context.app.functions:
        raise FunctionNotFound(f"Could not find function for '{cron['function']}'.")
    job = ScheduleJob(context.now_ms, cron["function"], cron["args"])
    return jobs.schedule(context.transaction, context.app, context.now_ms, job)


# As documents of `_cron_jobs`, `_cron_next_run` and `_cron_job_logs`


@handles(calls.ListCronDocuments)
def list_cron_jobs(context: CallContext, call: calls.ListCronDocuments) -> list[Document]:
    with context.transaction.engine():
        return [_job(cron, _last_run(context, cron)) for _, cron in sorted(_crons(context).items())]


def _job(cron: Document, last: Document | None) -> Document:
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


def _target(cron: Document) -> Document:
    module, _, name = str(cron["function"]).rpartition(":")
    return {"udfPath": f"{module}.js:{name}", "udfArgs": encode_wire([cron["args"]])}


def _schedule(spec: Document) -> Document:
    found = {name: value if isinstance(value, str) else Int64(round(value)) for name, value in spec.items()}
    if "dayOfWeek" in spec:
        found["dayOfWeek"] = Int64(_WEEKDAYS.index(spec["dayOfWeek"]))
    return found


def _last_run(context: CallContext, cron: Document) -> Document | None:
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
