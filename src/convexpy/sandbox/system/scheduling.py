"""What the server asks of scheduled jobs and cron jobs: which are due, how actions begin and end, what can be forgotten."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from convexpy.errors import ArgumentError, FunctionNotFound
from convexpy.functions import Bound, QueryPlan, canonical_path, next_run_ms
from convexpy.protocol.scheduled_jobs import CRONS, JOBS
from convexpy.sandbox import jobs
from convexpy.sandbox.host import CallContext
from convexpy.values import canonical_number

UPCOMING_BYTES = 8 * 1024 * 1024
FORGOTTEN_AT_ONCE = 256
NEXT_RUNS = 3


def schedule(context: CallContext, args: dict[str, Any]) -> str:
    """Schedule a job for an action, in a transaction of its own; return the job's id."""
    return jobs.schedule(
        context.transaction,
        context.app,
        now_ms=context.now_ms,
        at_ms=args["at"],
        path=args["path"],
        args=args["args"],
        parent_job=args.get("parentJob", ""),
    )


def cancel(context: CallContext, args: dict[str, Any]) -> None:
    """Cancel a job."""
    jobs.cancel(context.transaction, args["id"], context.now_ms)


def cancel_all(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Cancel pending jobs, of one function if `path` names one; a bounded number at once, `hasMore` says if there are more."""
    path, cancelled, seen = args.get("path"), 0, 0
    with context.transaction.engine():
        for document in context.transaction.stream(_pending()):
            seen += 1
            if cancelled == FORGOTTEN_AT_ONCE:
                return {"canceled": cancelled, "hasMore": True}
            if path is None or canonical_path(document["name"]) == path:
                jobs.cancel(context.transaction, document["_id"], context.now_ms)
                cancelled += 1
    return {"canceled": cancelled, "hasMore": False}


def _pending(from_ms: float | None = None) -> QueryPlan:
    lower = None if from_ms is None else Bound("scheduledTime", from_ms, inclusive=True)
    equal = (("state.kind", "pending"),)
    return QueryPlan(JOBS, "by_state_and_time", equal=equal, lower=lower, ordered=True, system=True)


def list_jobs(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return jobs: all, or those in one `state`, the latest planned first.

    `path` is a glob of function paths; `after` (included) and `before` bound the time that they are planned for.
    """
    state, glob, limit = args.get("state"), args.get("path"), int(args.get("limit", 100))
    after, before = args.get("after"), args.get("before")
    found: list[dict[str, Any]] = []
    # Times are the second field of the index: bounds of it need a state.
    lower = None if after is None or state is None else Bound("scheduledTime", after, inclusive=True)
    upper = None if before is None or state is None else Bound("scheduledTime", before, inclusive=False)
    equal = () if state is None else (("state.kind", state),)
    plan = QueryPlan(
        JOBS, "by_state_and_time", equal=equal, lower=lower, upper=upper, order="desc", system=True
    )
    with context.transaction.engine():
        for document in context.transaction.stream(plan):
            path = canonical_path(document["name"])
            planned = document["scheduledTime"]
            inside = (after is None or planned >= after) and (before is None or planned < before)
            if inside and (glob is None or fnmatchcase(path, glob)):
                found.append({**document, "function": path})
            if len(found) >= limit:
                break
    return found


def get_job(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Return one job, or None."""
    with context.transaction.engine():
        document = context.transaction.get(args["id"], JOBS, system=True)
    return None if document is None else {**document, "function": canonical_path(document["name"])}


def upcoming(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Return the jobs that are due at `now`, planned for `from` or later, in order: `[id, path, time, creation time]`.

    More than `known` and at most `limit`, which is larger; `next` is the time of the first one left out, if any. `crons`
    lists the cron jobs that do not run at present: `[id, path, next run, name]`.
    """
    due: list[list[Any]] = []
    following: float | None = None
    transaction = context.transaction
    with transaction.engine():
        for document in transaction.stream(_pending(args["from"]), limit=int(args["limit"]) + 1):
            full = len(due) > args["known"] and transaction.charges.bytes_read > UPCOMING_BYTES
            if document["scheduledTime"] > args["now"] or len(due) == args["limit"] or full:
                following = document["scheduledTime"]
                break
            path = canonical_path(document["name"])
            due.append([document["_id"], path, document["scheduledTime"], document["_creationTime"]])
        crons = list(transaction.stream(QueryPlan(CRONS, system=True)))
    idle = [
        [cron["_id"], cron["function"], cron["nextRun"], cron["name"]]
        for cron in crons
        if cron["state"]["kind"] != "inProgress"
    ]
    return {"due": due, "next": following, "crons": idle}


def next_pending(context: CallContext, args: dict[str, Any]) -> float | None:
    """Return the time of the first pending job, or None."""
    with context.transaction.engine():
        first = context.transaction.first(_pending())
    return None if first is None else first["scheduledTime"]


def begin(context: CallContext, args: dict[str, Any]) -> dict[str, Any] | None:
    """Write that an action is running; return its path and arguments, None if it is not due any more."""
    run = jobs.find_run(context.transaction, args["id"])
    if run is None or not run.is_due(context.now_ms):
        return None
    run.begin()
    return {"path": run.path, "args": run.args}


def finish(context: CallContext, args: dict[str, Any]) -> int:
    """Write how a run has ended that could not do so itself; return the number of skipped runs of a cron job."""
    run = jobs.find_run(context.transaction, args["id"])
    if run is None:
        return 0
    return run.finish(
        args.get("error"),
        began_ms=args["began"],
        now_ms=context.now_ms,
        request_id=args["requestId"],
    )


def interrupted(context: CallContext, args: dict[str, Any]) -> int:
    """Fail actions that ran when the server ended, a bounded number at once; return how many."""
    return jobs.interrupt(context.transaction, context.now_ms, FORGOTTEN_AT_ONCE)


def forget(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Delete jobs that ended before `before`, a bounded number; `oldest` is the time of the oldest one left, or None."""
    ended = QueryPlan(
        JOBS,
        "by_completed_time",
        ordered=True,
        lower=Bound("completedTime", 0, inclusive=True),
        system=True,
    )
    transaction = context.transaction
    with transaction.engine():
        for count, document in enumerate(transaction.stream(ended)):
            if document["completedTime"] >= args["before"] or count == FORGOTTEN_AT_ONCE:
                return {"oldest": document["completedTime"]}
            transaction.system_delete(JOBS, document["_id"])
    return {"oldest": None}


# Cron jobs


def _crons(context: CallContext) -> dict[str, dict[str, Any]]:
    with context.transaction.engine():
        found = list(context.transaction.stream(QueryPlan(CRONS, system=True)))
    return {document["name"]: document for document in found}


def replace_crons(context: CallContext, crons: list[dict[str, Any]]) -> None:
    """Make these the cron jobs (`name schedule function args nextRun`), as part of a push.

    A job of the same name and schedule keeps its next run, whatever else has changed.
    """
    transaction, known = context.transaction, _crons(context)
    with transaction.engine():
        for cron in crons:
            wanted = {"cronSpec": cron["schedule"], "function": cron["function"], "args": cron["args"]}
            have = known.pop(cron["name"], None)
            planned = {"nextRun": canonical_number(float(cron["nextRun"]))}
            if have is None:
                idle: dict[str, Any] = {"state": {"kind": "idle"}}
                transaction.system_insert(CRONS, {"name": cron["name"], **wanted, **planned, **idle})
            elif have["cronSpec"] != cron["schedule"]:
                transaction.system_patch(CRONS, have["_id"], {**wanted, **planned})
            elif any(have[field] != value for field, value in wanted.items()):
                transaction.system_patch(CRONS, have["_id"], wanted)
        for name, gone in known.items():
            transaction.system_delete(CRONS, gone["_id"])
            plan = QueryPlan(jobs.CRON_LOGS, "by_name", equal=(("name", name),), system=True)
            for entry in list(transaction.stream(plan)):
                transaction.system_delete(jobs.CRON_LOGS, entry["_id"])


def following_runs(schedule: dict[str, Any], next_run: float, count: int = NEXT_RUNS) -> list[float]:
    """Return when a cron job runs next, and after that; fewer if its schedule comes to an end."""
    found = [next_run]
    while len(found) < count:
        try:
            found.append(canonical_number(float(next_run_ms(schedule, found[-1]))))
        except StopIteration:
            break
    return found


def list_crons(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every cron job with its last and its next run."""
    fields = ("name", "cronSpec", "function", "args", "nextRun", "state")
    return [
        {
            **{field: cron[field] for field in fields},
            "nextRuns": following_runs(cron["cronSpec"], cron["nextRun"]),
            "lastRun": cron.get("lastRun"),
            "failuresInARow": cron.get("failuresInARow", 0),
        }
        for _, cron in sorted(_crons(context).items())
    ]


def plan_again(context: CallContext, args: dict[str, Any]) -> None:
    """Bring forward the cron jobs that a clock which ran ahead has planned."""
    jobs.plan_again(context.transaction, context.now_ms)


def cron_history(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the latest runs of a cron job, the newest first."""
    plan = QueryPlan(
        jobs.CRON_LOGS, "by_name", equal=(("name", args["name"]),), order="desc", system=True
    )  # fmt: skip
    with context.transaction.engine():
        return [
            {name: value for name, value in entry.items() if not name.startswith("_")}
            for entry in context.transaction.stream(plan)
        ]


def run_cron(context: CallContext, args: dict[str, Any]) -> str:
    """Schedule an extra run of a cron job for now; return the job's id."""
    cron = _crons(context).get(args["name"])
    if cron is None:
        raise ArgumentError(f"there is no cron job {args['name']!r}", code="CronNotFound")
    if cron["function"] not in context.app.functions:
        raise FunctionNotFound(f"Could not find function for '{cron['function']}'.")
    return jobs.schedule(
        context.transaction,
        context.app,
        now_ms=context.now_ms,
        at_ms=context.now_ms,
        path=cron["function"],
        args=cron["args"],
    )


FUNCTIONS = {
    "_system/scheduling:schedule": schedule,
    "_system/scheduling:cancel": cancel,
    "_system/scheduling:planAgain": plan_again,
    "_system/scheduling:cancelAll": cancel_all,
    "_system/scheduling:list": list_jobs,
    "_system/scheduling:get": get_job,
    "_system/scheduling:upcoming": upcoming,
    "_system/scheduling:next": next_pending,
    "_system/scheduling:begin": begin,
    "_system/scheduling:finish": finish,
    "_system/scheduling:interrupted": interrupted,
    "_system/scheduling:forget": forget,
    "_system/crons:list": list_crons,
    "_system/crons:history": cron_history,
    "_system/crons:run": run_cron,
}
