"""The agenda against a model of the data: nothing is forgotten, nothing runs twice at once, order and bounds are kept."""

from __future__ import annotations

import random

from hypothesis import example, given, settings, strategies as st

from convexpy.services.scheduling.agenda import Agenda, Job, Lane


class SmallAgenda(Agenda):
    """The agenda with bounds that a short run reaches."""

    FIRST = 2
    BATCH = 5
    KNOWN_MAX = 9


class World:
    """The data, a clock, and a server that fetches and runs with delays and failures of a seeded kind."""

    def __init__(self, seed: int, mutations: int, actions: int) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.agenda = SmallAgenda(mutations=mutations, actions=actions)
        self.bounds: dict[Lane, int] = {"mutation": mutations, "action": actions}
        self.pending: dict[str, Job] = {}
        self.running: dict[str, Job] = {}
        self.fetch: tuple[list[Job], float | None] | None = None
        self.ran: list[str] = []
        self.made = 0

    def schedule(self) -> None:
        self.made += 1
        lane: Lane = self.random.choice(["mutation", "action"])
        due = self.now + self.random.choice([-500, 0, 0, 10, 300])
        job = Job(f"job{self.made}", "m:f", due, float(self.made), lane)
        self.pending[job.id] = job
        self.agenda.noticed(job.id, due)

    def cancel(self) -> None:
        waiting = sorted(self.pending.keys() - self.running.keys())
        if waiting:
            job = self.pending.pop(self.random.choice(waiting))
            self.agenda.noticed(job.id, job.due_ms)  # a commit lists old keys like new ones

    def begin_fetch(self) -> None:
        wanted = self.agenda.begin_fetch()
        ordered = sorted(self.pending.values(), key=lambda job: (job.due_ms, job.created))
        if wanted.from_ms is not None:
            ordered = [job for job in ordered if job.due_ms >= wanted.from_ms]
        due = [job for job in ordered if job.due_ms <= self.now][: wanted.limit]
        rest = ordered[len(due) :]
        self.fetch = (due, rest[0].due_ms if rest else None)

    def end_fetch(self) -> None:
        assert self.fetch is not None
        due, following = self.fetch
        self.fetch = None
        if self.random.random() < 0.1:
            self.agenda.fetch_failed()
        else:
            self.agenda.fetched(due, following)

    def start(self) -> None:
        taken = self.agenda.take(self.now)
        for lane in self.bounds:
            times = [(job.due_ms, job.created) for job in taken if job.lane == lane]
            assert times == sorted(times)
        for job in taken:
            assert job.id not in self.running
            assert job.due_ms <= self.now
            self.running[job.id] = job
        for lane, bound in self.bounds.items():
            assert sum(job.lane == lane for job in self.running.values()) <= bound

    def end_one(self) -> None:
        if not self.running:
            return
        job = self.running.pop(self.random.choice(sorted(self.running)))
        if self.random.random() < 0.2:
            self.agenda.retry(job, self.now)
            return
        if self.pending.pop(job.id, None) is not None:  # else it was canceled meanwhile: the run does nothing
            self.ran.append(job.id)
            self.agenda.noticed(job.id, job.due_ms)
        self.agenda.finished(job)

    def step(self) -> None:
        self.random.choice(
            [self.schedule, self.schedule, self.cancel, self.end_one, self.end_one, self.advance, self.pump]
        )()

    def advance(self) -> None:
        self.now += self.random.choice([1, 20, 400])

    def pump(self) -> None:
        if self.fetch is not None and self.random.random() < 0.7:
            self.end_fetch()
        if self.agenda.wants_more(self.now):
            self.begin_fetch()
        self.start()

    def drain(self) -> None:
        """Let time pass, waking only when the agenda says so."""
        for _ in range(10_000):
            if self.fetch is not None:
                self.end_fetch()
            if self.agenda.wants_more(self.now):
                self.begin_fetch()
                continue
            self.start()
            if self.running:
                self.end_one()
                continue
            wake = self.agenda.wake_ms()
            if wake is None:
                return
            assert wake > self.now, "it would spin"
            self.now = wake
        raise AssertionError("it does not come to rest")


@settings(max_examples=150, deadline=None)
@example(seed=1, mutations=1, actions=1, steps=149)  # no room, and all that is known waits to be tried again
@given(
    seed=st.integers(0, 2**32),
    mutations=st.integers(1, 4),
    actions=st.integers(1, 4),
    steps=st.integers(0, 150),
)
def test_every_job_runs_once_and_the_server_then_sleeps(
    seed: int, mutations: int, actions: int, steps: int
) -> None:
    world = World(seed, mutations, actions)
    for _ in range(steps):
        world.step()
    world.drain()
    assert world.pending == {}
    assert len(set(world.ran)) == len(world.ran)
    assert world.agenda.is_quiet(world.now)


def job(number: int, due: float, lane: Lane = "mutation") -> Job:
    return Job(f"j{number}", "m:f", due, float(number), lane)


def test_overdue_jobs_start_in_the_order_of_their_times() -> None:
    agenda = Agenda(mutations=1, actions=1)
    agenda.begin_fetch()
    agenda.fetched([job(1, 30), job(2, 10), job(3, 20), job(4, 10)], None)
    started: list[str] = []
    while taken := agenda.take(100):
        started += [each.id for each in taken]
        agenda.finished(taken[0])
    assert started == ["j2", "j4", "j3", "j1"]


def test_actions_do_not_wait_for_mutations() -> None:
    agenda = Agenda(mutations=1, actions=2)
    agenda.begin_fetch()
    agenda.fetched([job(1, 1), job(2, 2), *(job(n, n, "action") for n in (3, 4, 5))], None)
    assert [each.id for each in agenda.take(100)] == ["j1", "j3", "j4"]
    assert agenda.take(100) == []


def test_long_actions_that_wait_do_not_keep_mutations_from_being_found() -> None:
    agenda = Agenda(mutations=1, actions=1)
    agenda.begin_fetch()
    agenda.fetched([job(n, n, "action") for n in range(Agenda.FIRST)], 50)
    assert len(agenda.take(100)) == 1
    assert agenda.wants_more(100)
    wanted = agenda.begin_fetch()
    assert (wanted.from_ms, wanted.known) == (Agenda.FIRST - 1, 1)
    agenda.fetched([job(1000, 50)], None)
    assert [each.id for each in agenda.take(100)] == ["j1000"]


def test_it_waits_longer_after_each_failure() -> None:
    agenda, one = Agenda(mutations=1, actions=1), job(1, 0)
    agenda.begin_fetch()
    agenda.fetched([one], None)
    now, waits = 0.0, []
    for _ in range(10):
        assert agenda.take(now) == [one]
        agenda.retry(one, now)
        wake = agenda.wake_ms()
        assert wake is not None
        waits.append(wake - now)
        now = wake
    assert waits[:3] == [250, 500, 1000]
    assert waits[-1] == 30_000


def test_without_jobs_there_is_nothing_to_wake_for() -> None:
    agenda = Agenda(mutations=1, actions=1)
    agenda.begin_fetch()
    agenda.fetched([], None)
    assert agenda.wake_ms() is None
    agenda.noticed("j1", 5000)
    assert agenda.wake_ms() == 5000
    assert not agenda.wants_more(4999)
    assert agenda.wants_more(5000)
