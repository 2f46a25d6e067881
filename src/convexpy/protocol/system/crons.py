"""Cron jobs: what tools list and run."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class CronJob(msgspec.Struct, rename="camel"):
    """A cron job with its last and its next runs; times are milliseconds."""

    name: str
    cron_spec: ConvexObject
    function: str
    args: ConvexObject
    next_run: float
    state: ConvexObject
    next_runs: list[float]
    last_run: ConvexObject | None
    failures_in_a_row: int


class ListCrons(SystemQuery[list[CronJob]], path="_system/crons:list", operation="functions:view"):
    """Every cron job, sorted by name."""


class ListCronRuns(SystemQuery[list[ConvexObject]], path="_system/crons:history", operation="data:view"):
    """The latest runs of a cron job, the newest first."""

    name: str


class RunCron(SystemMutation[str], path="_system/crons:run"):
    """Schedule an extra run of a cron job for now; the result is the job's id."""

    name: str


class ListCronDocuments(
    SystemQuery[list[Document]], path="_system/frontend/listCronJobs", operation="functions:view"
):
    """Every cron job as the official dashboard reads it; times are int64 nanoseconds."""


class PlannedCron(msgspec.Struct, rename="camel"):
    """A cron job of a push, with the next run that it has if it is new."""

    name: str
    schedule: ConvexObject
    function: str
    args: ConvexObject
    next_run: float
