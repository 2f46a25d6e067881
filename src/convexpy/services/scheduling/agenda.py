"""The agenda: what the server knows of the jobs to come, and which of them may start now.

The documents of the jobs decide what is run; this is only a hint of what to look at, and when. It knows the due jobs that
were fetched and not begun, those that run, those that wait for another try, and the earliest time at which the data may
hold a due job that it has not fetched.

Invariant:  every pending job is known here, or is planned for `next_ms` or later, or `stale` is set.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Literal

import msgspec

Lane = Literal["mutation", "action"]
RETRY_FIRST_MS = 250.0
RETRY_MAX_MS = 30_000.0


class Job(msgspec.Struct, frozen=True):
    """A job that is due, or the next run of a cron job, which has a name."""

    id: str
    path: str
    due_ms: float
    created: float
    lane: Lane = "mutation"
    cron: str = ""


class Fetch(msgspec.Struct, frozen=True):
    """What to fetch: jobs planned for `from_ms` or later (None: all), of which so many are `known`; `limit` with these."""

    from_ms: float | None
    known: int
    limit: int


class Agenda:
    """Jobs in the order of their times, with a bound on how many of a lane run at once."""

    FIRST = 32
    """How many jobs are fetched when none waits here: the first ones are to start soon."""
    BATCH = 1024
    """How many are fetched at once while others wait."""
    KNOWN_MAX = 2048
    """With as many known nothing is fetched; so many long actions may stand before a mutation and not hold it up."""

    def __init__(self, *, mutations: int, actions: int) -> None:
        self._free: dict[Lane, int] = {"mutation": mutations, "action": actions}
        self._queues: dict[Lane, list[tuple[float, float, str]]] = {"mutation": [], "action": []}
        self._known: dict[str, Job] = {}
        self._running: set[str] = set()
        self._retries: list[tuple[float, str]] = []
        self._failures: dict[str, int] = {}
        self._fetching = False
        self._ended_meanwhile: set[str] = set()
        self._heard_meanwhile_ms: float | None = None
        self._read_to_ms: float | None = None
        self.next_ms: float | None = None
        self.stale: bool = True

    # For who looks on

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many due jobs were fetched and wait for their turn."""
        return len(self._known) - len(self._running)

    def late_ms(self, now_ms: float) -> float:
        """Return for how long the first of the jobs that wait, fetched or not, has been due; 0 if none is."""
        due = [job.due_ms for job in self._known.values() if job.id not in self._running]
        due += [] if self.next_ms is None else [self.next_ms]
        return max(0.0, now_ms - min(due, default=now_ms))

    # What is in the data

    def noticed(self, id: str, due_ms: float) -> None:
        """A commit has written a pending job, or one that was pending until then."""
        if id in self._known or id in self._ended_meanwhile:
            return
        if self.next_ms is None or due_ms < self.next_ms:
            self.next_ms = due_ms
        if self._heard_meanwhile_ms is None or due_ms < self._heard_meanwhile_ms:
            self._heard_meanwhile_ms = due_ms

    def wants_more(self, now_ms: float) -> bool:
        """Say whether due jobs have to be fetched."""
        if self._fetching:
            return False
        if self.stale:
            return True
        return self.next_ms is not None and self.next_ms <= now_ms and self._takes(self.next_ms)

    def _takes(self, due_ms: float) -> bool:
        """Say whether there is room for a job of this time: for one that goes before those fetched last there always is."""
        is_early = self._read_to_ms is not None and due_ms < self._read_to_ms
        return is_early or len(self._known) < self.KNOWN_MAX

    def begin_fetch(self) -> Fetch:
        """A fetch begins; return what it is to bring."""
        from_ms = self._read_to_ms
        if self.stale or self.next_ms is None or (from_ms is not None and self.next_ms < from_ms):
            from_ms = None
        self._fetching, self.stale = True, False
        self._ended_meanwhile.clear()
        self._heard_meanwhile_ms = None
        known = sum(from_ms is None or job.due_ms >= from_ms for job in self._known.values())
        batch = self.BATCH if any(self._queues.values()) else self.FIRST
        return Fetch(from_ms, known, known + batch)

    def fetched(self, jobs: Iterable[Job], next_ms: float | None) -> None:
        """Take what a fetch has brought: due jobs, and the time of the first one that it left out."""
        self._fetching = False
        for job in jobs:
            if job.id not in self._known and job.id not in self._ended_meanwhile:
                self._known[job.id] = job
                self._enqueue(job)
                # What is planned before the last one fetched was fetched, too.
                if not job.cron and (self._read_to_ms is None or job.due_ms > self._read_to_ms):
                    self._read_to_ms = job.due_ms
        times = [time for time in (next_ms, self._heard_meanwhile_ms) if time is not None]
        self.next_ms = min(times, default=None)
        self._ended_meanwhile.clear()

    def fetch_failed(self) -> None:
        """The fetch has brought nothing: the next one starts from the beginning."""
        self._fetching, self.stale = False, True

    # What runs

    def _enqueue(self, job: Job) -> None:
        heapq.heappush(self._queues[job.lane], (job.due_ms, job.created, job.id))

    def take(self, now_ms: float) -> list[Job]:
        """Return the jobs to start now, in order; each must be `finished` or sent to `retry` one day."""
        while self._retries and self._retries[0][0] <= now_ms:
            self._enqueue(self._known[heapq.heappop(self._retries)[1]])
        taken: list[Job] = []
        for lane, queue in self._queues.items():
            while queue and self._free[lane] > 0:
                self._free[lane] -= 1
                job = self._known[heapq.heappop(queue)[2]]
                self._running.add(job.id)
                taken.append(job)
        return taken

    def finished(self, job: Job) -> None:
        """A job has ended, or turned out not to be due any more."""
        self._leave(job)
        del self._known[job.id]
        self._failures.pop(job.id, None)
        if self._fetching:
            self._ended_meanwhile.add(job.id)

    def retry(self, job: Job, now_ms: float) -> None:
        """A job could not be run, through no fault of its own or not surely so: try again, later each time."""
        self._leave(job)
        failures = self._failures[job.id] = self.failures(job) + 1
        delay_ms = min(RETRY_FIRST_MS * 2.0 ** (failures - 1), RETRY_MAX_MS)
        heapq.heappush(self._retries, (now_ms + delay_ms, job.id))

    def failures(self, job: Job) -> int:
        """Return how often a job was sent to `retry`."""
        return self._failures.get(job.id, 0)

    def _leave(self, job: Job) -> None:
        self._running.remove(job.id)
        self._free[job.lane] += 1

    # Waiting

    def wake_ms(self) -> float | None:
        """Return when to look again if nothing happens until then; None: something has to happen first."""
        if self._fetching:
            return self._retries[0][0] if self._retries else None
        times = [self._retries[0][0]] if self._retries else []
        if self.stale:
            times.append(0.0)
        elif self.next_ms is not None and self._takes(self.next_ms):
            times.append(self.next_ms)
        return min(times, default=None)

    def is_quiet(self, now_ms: float) -> bool:
        """Say whether nothing runs, and nothing that is due is left."""
        due = [time for time in (self.next_ms, self.wake_ms()) if time is not None and time <= now_ms]
        return not (self._fetching or self._running or any(self._queues.values()) or due)
