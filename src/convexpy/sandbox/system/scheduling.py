"""Scheduled jobs: which are due, how actions begin and end, what can be forgotten."""

from __future__ import annotations

from fnmatch import fnmatchcase

from convexpy.functions import Bound, QueryPlan, canonical_path
from convexpy.protocol.scheduled_jobs import CRONS, JOBS
from convexpy.protocol.system.scheduling import (
    BeginJob,
    BegunJob,
    CanceledJobs,
    CancelJob,
    CancelJobs,
    DueJob,
    FailInterrupted,
    FinishJob,
    ForgetJobs,
    GetJob,
    IdleCron,
    ListJobs,
    ListUpcoming,
    NextPending,
    PlanAgain,
    ScheduleJob,
    UpcomingJobs,
)
from convexpy.sandbox import jobs
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import Document, encode_wire

UPCOMING_BYTES = 8 * 1024 * 1024
FORGOTTEN_AT_ONCE = 256


@handles(ScheduleJob)
def schedule(context: CallContext, call: ScheduleJob) -> str:
    """Schedule a job for an action, in a transaction of its own; return the job's id."""
    return jobs.schedule(
        context.transaction,
        context.app,
        now_ms=context.now_ms,
        at_ms=call.at,
        path=call.function,
        args=call.args,
        parent_job=call.parent_job,
    )


@handles(CancelJob)
def cancel(context: CallContext, call: CancelJob) -> None:
    """Cancel a job."""
    jobs.cancel(context.transaction, call.id, context.now_ms)


@handles(CancelJobs)
def cancel_all(context: CallContext, call: CancelJobs) -> CanceledJobs:
    """Cancel a bounded number of pending jobs, of one function or of all."""
    cancelled = 0
    with context.transaction.engine():
        for document in context.transaction.stream(_pending()):
            if cancelled == FORGOTTEN_AT_ONCE:
                return CanceledJobs(cancelled, has_more=True)
            if call.function in (None, canonical_path(document["name"])):
                jobs.cancel(context.transaction, document["_id"], context.now_ms)
                cancelled += 1
    return CanceledJobs(cancelled, has_more=False)


def _pending(from_ms: float | None = None) -> QueryPlan:
    lower = None if from_ms is None else Bound("scheduledTime", from_ms, inclusive=True)
    equal = (("state.kind", "pending"),)
    return QueryPlan(JOBS, "by_state_and_time", equal=equal, lower=lower, ordered=True, system=True)


@handles(ListJobs)
def list_jobs(context: CallContext, call: ListJobs) -> list[Document]:
    """Return jobs, the latest planned first."""
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


@handles(GetJob)
def get_job(context: CallContext, call: GetJob) -> Document | None:
    """Return one job, or None."""
    with context.transaction.engine():
        document = context.transaction.get(call.id, JOBS, system=True)
    return None if document is None else {**document, "function": canonical_path(document["name"])}


@handles(ListUpcoming)
def upcoming(context: CallContext, call: ListUpcoming) -> UpcomingJobs:
    """Return what is due, and what comes next."""
    due: list[DueJob] = []
    following: float | None = None
    transaction = context.transaction
    with transaction.engine():
        for document in transaction.stream(_pending(call.since), limit=call.limit + 1):
            full = len(due) > call.known and transaction.charges.bytes_read > UPCOMING_BYTES
            if document["scheduledTime"] > call.now or len(due) == call.limit or full:
                following = document["scheduledTime"]
                break
            path = canonical_path(document["name"])
            due.append(DueJob(document["_id"], path, document["scheduledTime"], document["_creationTime"]))
        crons = list(transaction.stream(QueryPlan(CRONS, system=True)))
    idle = [
        IdleCron(cron["_id"], cron["function"], cron["nextRun"], cron["name"])
        for cron in crons
        if cron["state"]["kind"] != "inProgress"
    ]
    return UpcomingJobs(due, following, idle)


@handles(NextPending)
def next_pending(context: CallContext, call: NextPending) -> float | None:
    """Return the time of the first pending job, or None."""
    with context.transaction.engine():
        first = context.transaction.first(_pending())
    return None if first is None else first["scheduledTime"]


@handles(BeginJob)
def begin(context: CallContext, call: BeginJob) -> BegunJob | None:
    """Write that an action is running; return what it is to run, None if it is not due any more."""
    run = jobs.find_run(context.transaction, call.id)
    if run is None or not run.is_due(context.now_ms):
        return None
    run.begin()
    return BegunJob(run.path, encode_wire(run.args).decode())


@handles(FinishJob)
def finish(context: CallContext, call: FinishJob) -> int:
    """Write how a run has ended that could not do so itself; return the number of skipped runs of a cron job."""
    run = jobs.find_run(context.transaction, call.id)
    if run is None:
        return 0
    return run.finish(
        call.error,
        began_ms=call.began,
        now_ms=context.now_ms,
        request_id=call.request_id,
    )


@handles(FailInterrupted)
def interrupted(context: CallContext, call: FailInterrupted) -> int:
    """Fail actions that ran when the server ended, a bounded number at once; return how many."""
    return jobs.interrupt(context.transaction, context.now_ms, FORGOTTEN_AT_ONCE)


@handles(ForgetJobs)
def forget(context: CallContext, call: ForgetJobs) -> float | None:
    """Delete jobs that ended before `before`, a bounded number; return the time of the oldest one left."""
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


@handles(PlanAgain)
def plan_again(context: CallContext, call: PlanAgain) -> None:
    """Bring forward the cron jobs that a clock which ran ahead has planned."""
    jobs.plan_again(context.transaction, context.now_ms)
