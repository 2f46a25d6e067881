"""Scheduled jobs: which are due, how actions begin and end, what can be forgotten."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase

from convexpy.functions import Bound, QueryPlan, canonical_path, planned_ms
from convexpy.protocol.scheduled_jobs import CRONS, JOBS
from convexpy.protocol.system import scheduling as calls
from convexpy.sandbox import jobs
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import Document, encode_wire

UPCOMING_BYTES = 8 * 1024 * 1024
FORGOTTEN_AT_ONCE = 256


@handles(calls.ScheduleJob)
def schedule(context: CallContext, call: calls.ScheduleJob) -> str:
    return jobs.schedule(context.transaction, context.app, context.now_ms, call)


@handles(calls.CancelJob)
def cancel(context: CallContext, call: calls.CancelJob) -> None:
    jobs.cancel(context.transaction, call.id, context.now_ms)


@handles(calls.CancelJobs)
def cancel_all(context: CallContext, call: calls.CancelJobs) -> calls.CanceledJobs:
    cancelled = 0
    with context.transaction.engine():
        for document in context.transaction.stream(_pending()):
            if cancelled == FORGOTTEN_AT_ONCE:
                return calls.CanceledJobs(cancelled, has_more=True)
            if call.function in (None, canonical_path(document["name"])):
                jobs.cancel(context.transaction, document["_id"], context.now_ms)
                cancelled += 1
    return calls.CanceledJobs(cancelled, has_more=False)


def _pending(from_ms: float | None = None) -> QueryPlan:
    lower = None if from_ms is None else Bound("scheduledTime", from_ms, inclusive=True)
    equal = (("state.kind", "pending"),)
    return QueryPlan(JOBS, "by_state_and_time", equal=equal, lower=lower, ordered=True, system=True)


@handles(calls.ListJobs)
def list_jobs(context: CallContext, call: calls.ListJobs) -> list[Document]:
    state, glob, after, before = call.state, call.function, call.after, call.before
    found: list[Document] = []
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
            if len(found) >= call.limit:
                break
    return found


@handles(calls.GetJob)
def get_job(context: CallContext, call: calls.GetJob) -> Document | None:
    with context.transaction.engine():
        document = context.transaction.get(call.id, JOBS, system=True)
    return None if document is None else {**document, "function": canonical_path(document["name"])}


@handles(calls.ListUpcoming)
def upcoming(context: CallContext, call: calls.ListUpcoming) -> calls.UpcomingJobs:
    due: list[calls.DueJob] = []
    later: list[float] = []
    transaction = context.transaction
    with transaction.engine():
        for document in transaction.stream(_pending(call.since), limit=call.limit + 1):
            full = len(due) > call.known and transaction.charges.bytes_read > UPCOMING_BYTES
            if document["scheduledTime"] > call.now or len(due) == call.limit or full:
                later.append(document["scheduledTime"])
                break
            path = canonical_path(document["name"])
            due.append(
                calls.DueJob(document["_id"], path, document["scheduledTime"], document["_creationTime"])
            )
        for cron in transaction.stream(QueryPlan(CRONS, system=True)):
            if cron["state"]["kind"] == "inProgress":
                continue
            if cron["nextRun"] <= call.now:
                due.append(calls.DueJob(cron["_id"], cron["function"], cron["nextRun"], cron=cron["name"]))
            else:
                later.append(cron["nextRun"])
    return calls.UpcomingJobs(due, min(later, default=None))


@handles(calls.NextPending)
def next_pending(context: CallContext, call: calls.NextPending) -> float | None:
    with context.transaction.engine():
        first = context.transaction.first(_pending())
    return None if first is None else first["scheduledTime"]


@handles(calls.BeginJob)
def begin(context: CallContext, call: calls.BeginJob) -> calls.BegunJob | None:
    run = jobs.find_run(context.transaction, call.id)
    if run is None or not run.is_due(context.now_ms):
        return None
    run.begin()
    return calls.BegunJob(run.path, encode_wire(run.args).decode())


@handles(calls.FinishJob)
def finish(context: CallContext, call: calls.FinishJob) -> int:
    run = jobs.find_run(context.transaction, call.id)
    if run is None:
        return 0
    return run.finish(
        call.error,
        began_ms=call.began,
        now_ms=context.now_ms,
        request_id=call.request_id,
    )


@handles(calls.FailInterrupted)
def interrupted(context: CallContext, call: calls.FailInterrupted) -> int:
    return jobs.interrupt(context.transaction, context.now_ms, FORGOTTEN_AT_ONCE)


@handles(calls.ForgetJobs)
def forget(context: CallContext, call: calls.ForgetJobs) -> float | None:
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
            if document["completedTime"] >= call.before or count == FORGOTTEN_AT_ONCE:
                return float(document["completedTime"])
            transaction.system_delete(JOBS, document["_id"])
    return None


@handles(calls.PlanAgain)
def plan_again(context: CallContext, call: calls.PlanAgain) -> None:
    transaction = context.transaction
    with transaction.engine():
        for document in list(transaction.stream(QueryPlan(CRONS, system=True))):
            planned = math.floor(planned_ms(document["cronSpec"], document["nextRun"], context.now_ms))
            if planned < document["nextRun"]:
                transaction.system_patch(CRONS, document["_id"], {"nextRun": planned})
