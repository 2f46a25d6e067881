"""Cron jobs: what tools list and run."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
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


class ListCrons(SystemQuery[list[CronJob]]):
    """Every cron job, sorted by name."""

    path: ClassVar[str] = "_system/crons:list"
    operation: ClassVar[Operation | None] = "functions:view"


class ListCronRuns(SystemQuery[list[ConvexObject]]):
    """The latest runs of a cron job, the newest first."""

    path: ClassVar[str] = "_system/crons:history"
    operation: ClassVar[Operation | None] = "data:view"
    name: str


class RunCron(SystemMutation[str]):
    """Schedule an extra run of a cron job for now; the result is the job's id."""

    path: ClassVar[str] = "_system/crons:run"
    name: str


class ListCronDocuments(SystemQuery[list[Document]]):
    """Every cron job as the official dashboard reads it; times are int64 nanoseconds."""

    path: ClassVar[str] = "_system/frontend/listCronJobs"
    operation: ClassVar[Operation | None] = "functions:view"


class PlannedCron(msgspec.Struct, rename="camel"):
    """A cron job of a push, with the next run that it has if it is new."""

    name: str
    schedule: ConvexObject
    function: str
    args: ConvexObject
    next_run: float
