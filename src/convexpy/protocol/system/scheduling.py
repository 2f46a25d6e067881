"""Scheduled jobs: what tools list and cancel, and what the server asks to run them."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class ScheduleJob(SystemMutation[str], path="_system/scheduling:schedule"):
    """Schedule a job for an action, in a transaction of its own; the result is its id. `at` is milliseconds."""

    at: float
    function: str = msgspec.field(name="path")
    args: ConvexObject
    parent_job: str = ""


class CancelJob(SystemMutation[None], path="_system/scheduling:cancel"):
    """Cancel a job."""

    id: str


class CanceledJobs(msgspec.Struct, rename="camel"):
    """How many jobs were canceled, and whether there are more."""

    canceled: int
    has_more: bool


class CancelJobs(SystemMutation[CanceledJobs], path="_system/scheduling:cancelAll"):
    """Cancel a bounded number of pending jobs, of one function or of all."""

    function: str | None = msgspec.field(default=None, name="path")


class ListJobs(SystemQuery[list[Document]], path="_system/scheduling:list", operation="data:view"):
    """Jobs with their `function`, all or those in one state, the latest planned first.

    `function` is a glob of paths; `after` (included) and `before` bound the time that they are planned for.
    """

    state: str | None = None
    function: str | None = msgspec.field(default=None, name="path")
    limit: int = 100
    after: float | None = None
    before: float | None = None


class GetJob(SystemQuery[Document | None], path="_system/scheduling:get", operation="data:view"):
    """One job with its `function`."""

    id: str


class DueJob(msgspec.Struct, array_like=True):
    """A pending job, or a cron job that does not run at present.

    It has the path of its function, when it is due and when it was made, in milliseconds, and the name of a cron job.
    """

    id: str
    function: str
    time: float
    created: float = 0.0
    cron: str = ""


class UpcomingJobs(msgspec.Struct):
    """What is due; `next` is the time of the first one that was left out."""

    due: list[DueJob]
    next: float | None


class ListUpcoming(SystemQuery[UpcomingJobs], path="_system/scheduling:upcoming"):
    """What is due at `now`: cron jobs, and jobs planned for `since` or later, in order: more than `known`, at most `limit`."""

    now: float
    since: float | None = msgspec.field(name="from")
    known: int
    limit: int


class NextPending(SystemMutation[float | None], path="_system/scheduling:next"):
    """The time of the first pending job."""


class BegunJob(msgspec.Struct):
    """What an action is to run: a path, and its arguments as wire JSON."""

    function: str
    args: str


class BeginJob(SystemMutation[BegunJob | None], path="_system/scheduling:begin"):
    """Write that an action is running; None if it is not due any more."""

    id: str


class FinishJob(SystemMutation[int], path="_system/scheduling:finish"):
    """Write how a run has ended that could not do so itself; the result is the number of skipped runs of a cron job."""

    id: str
    error: str | None
    began: float
    request_id: str


class FailInterrupted(SystemMutation[int], path="_system/scheduling:interrupted"):
    """Fail actions that ran when the server ended, a bounded number at once; the result is how many."""


class ForgetJobs(SystemMutation[float | None], path="_system/scheduling:forget"):
    """Delete a bounded number of jobs that ended before `before`; the result is the time of the oldest one left."""

    before: float


class PlanAgain(SystemMutation[None], path="_system/scheduling:planAgain"):
    """Bring forward the cron jobs that a clock which ran ahead has planned."""
