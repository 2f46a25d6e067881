"""Scheduled jobs and cron jobs: run when they are due.

The documents decide. The service learns of jobs through the index keys that commits have written, fetches those
that are due with a query, and sleeps until the next one; without jobs it sleeps for good.

- A mutation is one call of the mutation executor, which checks that the job is due, runs it and writes how it ended
  (`sandbox/jobs.py`). It is repeated until it has been answered, so it happens exactly once.
- An action is `inProgress` in a durable row before it starts, and gets its final state after. What is `inProgress` when
  the server starts has failed: at most once.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.access import ANONYMOUS
from convexpy.database import system_index
from convexpy.engine.call_log import CallLog
from convexpy.engine.outcome import Outcome, new_request_id, outcome_of
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.timeline import TailRow
from convexpy.engine.versions import LiveVersion
from convexpy.errors import Error
from convexpy.functions import next_run_ms, spread_minute
from convexpy.limits import Knobs
from convexpy.protocol.app_description import CronDescription
from convexpy.protocol.frames import Call, CallFailure, Kind, LogLine, Request
from convexpy.protocol.scheduled_jobs import CRONS, JOBS, NOT_RUN, error_text, skipped_text
from convexpy.protocol.system.crons import PlannedCron
from convexpy.protocol.system.scheduling import (
    BeginJob,
    CancelJob,
    FailInterrupted,
    FinishJob,
    ForgetJobs,
    ListUpcoming,
    PlanAgain,
    ScheduleJob,
)
from convexpy.runtime import Clock
from convexpy.services.scheduling.agenda import Agenda, Fetch, Job, Lane
from convexpy.services.scheduling.job_requests import JobRequests
from convexpy.values import decode_key, decode_wire, from_json

logger: logging.Logger = logging.getLogger("convexpy.scheduling")
BY_STATE_AND_TIME = system_index(JOBS, "by_state_and_time")
CRONS_BY_NAME = system_index(CRONS, "by_name")
SETTLE_ATTEMPTS = 3
SLEEP_MS_MAX = 60_000.0
CLOCK_STEP_MS = 1000.0
"""With something to come, the clock is looked at this often: it may have been set, the machine may have slept."""
HOLD_MS = 1000.0
FORGET_SLACK_MS = 3_600_000.0
DEATHS_MAX = 3
"""A mutation that ended its executor this often has failed."""
TRIES_MAX = 10
NOT_ITS_FAULT = frozenset({"NotCommitted", "FunctionRefused", "CommitterFullError"})


def planned_crons(described: Iterable[CronDescription], deployment: str, now_ms: float) -> list[PlannedCron]:
    """Return the cron jobs of a push as their documents need them, each with the next run that it has if it is new."""
    planned: list[PlannedCron] = []
    for cron in described:
        schedule = spread_minute(cron.schedule, cron.name, deployment)
        planned.append(
            PlannedCron(
                name=cron.name,
                schedule=schedule,
                function=cron.function,
                args=from_json(cron.args),
                next_run=math.floor(next_run_ms(schedule, now_ms, first=True)),
            )
        )
    return planned


@dataclass(kw_only=True, eq=False)
class SchedulingService:
    """Runs the jobs of one deployment, on its event loop."""

    knobs: Knobs
    live: LiveVersion
    system: SystemFunctions
    log: CallLog
    next_call: Callable[[], int]
    clock: Clock

    def __post_init__(self) -> None:
        self.requests: JobRequests = JobRequests()
        self.agenda: Agenda = Agenda(
            mutations=self.knobs.scheduled_mutations, actions=self.knobs.scheduled_actions
        )
        self._kept_ms = self.knobs.scheduled_kept_s * 1000
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaths: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._is_on = False
        self._pump_is_due = False
        self._hold_ms = self._latest_ms = 0.0
        self._cancel_alarm: Callable[[], None] | None = None
        self._cancel_forgetting: Callable[[], None] | None = None

    # Start and stop

    async def start(self, *, runs: bool) -> None:
        """End what a former server has left unfinished; then run what is due, unless the app did not load."""
        while await self.system.run(FailInterrupted()):
            pass
        await self._plan_again()
        await self._forget()
        if runs:
            self.resume()

    def resume(self) -> None:
        """A version of the app is live: look at everything again."""
        self._is_on = True
        self.agenda.stale = True
        self._arm(self._now_ms())

    async def _plan_again(self) -> None:
        """Bring forward what a clock that ran ahead has planned; the commit makes the agenda look again."""
        await self.system.run(PlanAgain())
        self.agenda.stale = True

    async def close(self) -> None:
        """Start nothing more; actions that run are cut, and count as failed at the next start."""
        self._is_on = False
        for cancel in (self._cancel_alarm, self._cancel_forgetting):
            if cancel is not None:
                cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # When

    def row(self, row: TailRow) -> None:
        """Hear what a commit has written."""
        noticed = False
        for index, key in row.keys:
            if index == BY_STATE_AND_TIME:
                kind, due_ms, _, id = decode_key(key)
                noticed = True
                if kind == "pending":
                    self.agenda.noticed(id, due_ms)
            elif index == CRONS_BY_NAME:
                self.agenda.stale = noticed = True
        if noticed:
            now_ms = self._now_ms()
            self._changed.set()
            self._arm(now_ms)
            if self._cancel_forgetting is None:
                self._forget_at(now_ms + self._kept_ms)

    def pump(self) -> None:
        """Fetch what is due and start what may be started."""
        self._pump_is_due = False
        if not self._is_on:
            return
        now_ms = self._now_ms()
        if now_ms < self._latest_ms - CLOCK_STEP_MS:
            # The clock was put back: what was planned by it may be due earlier.
            self._hold_ms, self._latest_ms = 0.0, now_ms
            self._spawn(self._plan_again())
        self._latest_ms = max(self._latest_ms, now_ms)
        if now_ms >= self._hold_ms and self.agenda.wants_more(now_ms):
            self._spawn(self._fetch(self.agenda.begin_fetch(), now_ms))
        for job in self.agenda.take(now_ms):
            if job.lane == "action":
                self._spawn(self._run_action(job))
            else:
                self._run_mutation(job, now_ms)
        self._arm(now_ms)
        self._changed.set()

    def _pump_soon(self) -> None:
        """Pump in a later turn of the loop: the jobs of a commit group end in one turn."""
        if not self._pump_is_due:
            self._pump_is_due = True
            asyncio.get_running_loop().call_soon(self.pump)

    def _arm(self, now_ms: float) -> None:
        if self._cancel_alarm is not None:
            self._cancel_alarm()
            self._cancel_alarm = None
        wake_ms = self.agenda.wake_ms()
        if not self._is_on or wake_ms is None:
            return
        if wake_ms <= now_ms and not self.agenda.wants_more(now_ms):
            return  # enough is at hand: the end of a job goes on with it
        when_ms = min(max(wake_ms, self._hold_ms, now_ms), now_ms + SLEEP_MS_MAX)
        self._cancel_alarm = self.clock.wake_at(round(when_ms * 1e6), self.pump)

    async def settle(self) -> None:
        """Run what is due by the clock, and what that makes due, to its end: for clocks that stand still.

        Raises:
            Error: what is due cannot be read, also not when tried again.
        """
        attempts = 0
        while True:
            self.pump()
            if not self._tasks and self.agenda.is_quiet(self._now_ms()):
                return
            if not self._tasks and self._hold_ms > self._now_ms():
                # The time after which it would be tried again never comes by itself.
                attempts += 1
                if attempts > SETTLE_ATTEMPTS:
                    raise Error("the jobs that are due cannot be read")
                self._hold_ms = 0.0
                continue
            self._changed.clear()
            await self._changed.wait()

    def _now_ms(self) -> float:
        return self.clock.now_ns() / 1e6

    # What

    async def _fetch(self, wanted: Fetch, now_ms: float) -> None:
        call = ListUpcoming(now=now_ms, since=wanted.from_ms, known=wanted.known, limit=wanted.limit)
        try:
            found = await self.system.run(call)
        except Error as error:
            logger.warning("the jobs that are due cannot be read: %s", error)
            self._hold_ms = self._now_ms() + HOLD_MS
            self.agenda.fetch_failed()
            return
        due = [
            Job(job.id, job.function, job.time, job.created, self._lane(job.function), job.cron)
            for job in found.due
        ]
        self.agenda.fetched(due, found.next)

    def _lane(self, path: str) -> Lane:
        function = self.live.registry.get(path)
        return "action" if function is not None and function.kind == "action" else "mutation"

    def _call(
        self, kind: Kind, path: str, args: bytes, request_id: str, *, job: str = "", parent_job: str = ""
    ) -> Call:
        now_ms = self.clock.now_ns() // 1_000_000
        return Call(self.next_call(), kind, path, args, request_id, now_ms, job=job, parent_job=parent_job)

    # For actions

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Schedule or cancel a job for an action, in a transaction of its own."""
        payload = decode_wire(request.payload)
        wanted: ScheduleJob | CancelJob
        if request.operation == "schedule":
            wanted = msgspec.structs.replace(
                msgspec.convert(payload, ScheduleJob), parent_job=call.parent_job
            )
        else:
            wanted = msgspec.convert(payload, CancelJob)
        outcome = await self.system.attempt(wanted)
        return outcome.value, outcome.failure

    # Mutations

    def _run_mutation(self, job: Job, now_ms: float) -> None:
        request_id = new_request_id()
        parent = "" if job.cron else job.id
        call = self._call("mutation", job.path, b"{}", request_id, job=job.id, parent_job=parent)
        self.live.mutations.submit(
            call, lambda outcome: self._mutation_ended(job, request_id, now_ms, outcome)
        )

    def _mutation_ended(self, job: Job, request_id: str, began_ms: float, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None and outcome.value == NOT_RUN:
            self._not_due(job)
            return
        if failure is not None and failure.code == "ShuttingDown":
            return
        self._note_end("mutation", job, request_id, outcome)
        if failure is None or (outcome.result is not None and outcome.result.writes):
            self._ended(job)
            return
        if failure.code not in NOT_ITS_FAULT:
            self._deaths[job.id] = self._deaths.get(job.id, 0) + 1
            if self._deaths[job.id] >= DEATHS_MAX:
                self._spawn(self._give_up(job, request_id, began_ms, outcome))
                return
        self.agenda.retry(job, self._now_ms())
        self._pump_soon()

    async def _give_up(self, job: Job, request_id: str, began_ms: float, outcome: Outcome) -> None:
        await self._write_end(job, request_id, began_ms, outcome)
        self._ended(job)

    def _not_due(self, job: Job) -> None:
        """A job was canceled or run meanwhile; a cron job has another time, which has to be learnt."""
        self.agenda.stale = self.agenda.stale or bool(job.cron)
        self._ended(job)

    def _ended(self, job: Job) -> None:
        self._deaths.pop(job.id, None)
        self.agenda.finished(job)
        self._pump_soon()

    # Actions

    async def _run_action(self, job: Job) -> None:
        try:
            begun = await self.system.run(BeginJob(job.id))
        except Error as error:
            logger.warning("%s cannot be started now: %s", job.path, error)
            self.agenda.retry(job, self._now_ms())
            return
        if begun is None:
            self._not_due(job)
            return
        request_id, began_ms = new_request_id(), self._now_ms()
        self.requests.note(job.id, request_id)
        parent = "" if job.cron else job.id
        call = self._call("action", begun.function, begun.args.encode(), request_id, parent_job=parent)
        function = self.live.registry.get(begun.function)
        timeout_s = None if function is None else function.timeout_s
        outcome = await outcome_of(lambda done: self.live.actions.submit(call, done, timeout_s))
        self._note_end("action", job, request_id, outcome)
        skipped = await self._write_end(job, request_id, began_ms, outcome)
        if skipped:
            line = LogLine("WARN", skipped_text(skipped, job.path), self._now_ms())
            self.log.progress(call, [line])
        self.agenda.finished(job)

    # Writing

    async def _write_end(self, job: Job, request_id: str, began_ms: float, outcome: Outcome) -> int:
        """Write how a run has ended, however long that takes; return how many runs of a cron job are late by now."""
        end = FinishJob(job.id, error_text(outcome.failure), began_ms, request_id)
        delay_s, tries = 0.1, 0
        while True:
            try:
                return await self.system.run(end)
            except Error as problem:
                logger.warning("how %s ended cannot be written now: %s", job.path, problem)
                tries += problem.code not in NOT_ITS_FAULT
                if tries == TRIES_MAX:
                    return 0  # the next start of the server calls it interrupted
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, 10.0)

    def _forget_at(self, when_ms: float) -> None:
        """Look for jobs to forget an hour after the first one has its age, so that there are several."""
        self._cancel_forgetting = self.clock.wake_at(
            round((when_ms + FORGET_SLACK_MS) * 1e6), lambda: self._spawn(self._forget())
        )

    async def _forget(self) -> None:
        """Delete jobs that ended long ago."""
        self._cancel_forgetting = None
        before = self._now_ms() - self._kept_ms
        oldest: float | None = before - 1
        while oldest is not None and oldest < before:
            oldest = await self.system.run(ForgetJobs(before))
        if oldest is not None and self._cancel_forgetting is None:
            self._forget_at(oldest + self._kept_ms)

    # Logs and tasks

    def _note_end(self, kind: Kind, job: Job, request_id: str, outcome: Outcome) -> None:
        self.requests.note(job.id, request_id)
        origin = "Cron" if job.cron else "Scheduler"
        self.log.end(kind, job.path, outcome, request_id, origin, ANONYMOUS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            if task.exception() is not None:
                logger.error("running a job failed", exc_info=task.exception())
            self._pump_soon()
