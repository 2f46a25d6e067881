"""The hub and its sessions over a made-up runner: tests decide when a run ends, at which row, and with what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from convexpy.access import FULL_ACCESS, Caller
from convexpy.limits import Knobs
from convexpy.sync import Hub, QueryOutcome, Session, hub as hub_module
from convexpy.sync.entries import QueryEntry, Run

INDEX = 7
EVERYTHING = [(INDEX, b"", None)]


class Timeline:
    """Where the made-up log stands."""

    row = 1

    @property
    def ts(self) -> int:
        return self.row * 10


class Runner:
    """Keeps what was started; a test ends it."""

    def __init__(self) -> None:
        self.started: list[Run] = []

    def run_query(self, entry: QueryEntry, run: Run) -> None:
        self.started.append(run)

    def take(self, path: str = "") -> Run:
        """Return the oldest run (of this path) that has not ended."""
        run = next(run for run in self.started if run.entry.key.path.startswith(path))
        self.started.remove(run)
        return run


class Transport:
    """Keeps what was sent."""

    transitions_queued = 0

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, *messages: bytes, transition: bool = False) -> None:
        assert len(messages) == 1
        self.messages.append(json.loads(messages[0]))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class MadeUpBackend:
    """Admits everybody as who they say they are; calls are not part of these tests."""

    def canonical_args(self, args: bytes) -> bytes:
        return args

    def canonical_path(self, path: str) -> str:
        return path

    def authenticate(self, message: Any, done: Callable[[Any], None]) -> None:
        done(Caller(message.value.encode() if message.value else b""))

    def observed(self, ts: int) -> bool:
        return True

    run_mutation: Any = None
    run_action: Any = None


class Client:
    """A session and what it was told."""

    def __init__(self, world: World, caller: bytes = b"") -> None:
        self.transport = Transport()
        backend: Any = MadeUpBackend()
        self.session = Session(world.hub, backend, self.transport, Knobs(), chunks=False)
        self.session.act_for(Caller(caller))
        self._identity = self._query_set = 0

    def add(self, query_id: int, path: str, journal: str | None = None, **args: Any) -> None:
        self._query_set += 1
        self._send(
            type="ModifyQuerySet",
            baseVersion=self._query_set - 1,
            newVersion=self._query_set,
            modifications=[
                {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args], "journal": journal}
            ],
        )

    def become(self, caller: str) -> None:
        self._identity += 1
        self._send(type="Authenticate", baseVersion=self._identity - 1, tokenType="User", value=caller)

    def _send(self, **message: Any) -> None:
        self.session.receive(msgspec.json.encode(message))

    @property
    def told(self) -> list[tuple[int, dict[int, Any]]]:
        """`(row, {query id: value or failure text})` of each Transition."""
        found: list[tuple[int, dict[int, Any]]] = []
        for message in self.transport.messages:
            assert message["type"] == "Transition", message
            found.append(
                (
                    int.from_bytes(msgspec.convert(message["endVersion"]["ts"], bytes), "little") // 10,
                    {
                        change["queryId"]: change.get("value", change.get("errorMessage"))
                        for change in message["modifications"]
                    },
                )
            )
        return found

    @property
    def journals(self) -> list[str | None]:
        return [
            change["journal"] for message in self.transport.messages for change in message["modifications"]
        ]


class World:
    """A hub with its surroundings."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.runner = Runner()
        self.hub = Hub(self.timeline, self.runner)
        self.bystander = Client(self).session

    def commit(self, key: bytes = b"\x01") -> None:
        self.timeline.row += 1
        self.hub.committed([(INDEX, key)])

    async def ticks(self, count: int = 6) -> None:
        for _ in range(count):
            self.hub.schedule(self.bystander)  # else nothing ticks while everybody waits
            await asyncio.sleep(hub_module.TICK_INTERVAL_S)


def in_a_loop(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            await test(World())

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


def outcome(run: Run, value: Any = "", **changes: Any) -> QueryOutcome:
    made = QueryOutcome(run.row, False, msgspec.json.encode(value), None, None, None, b"[]", None, EVERYTHING)
    return msgspec.structs.replace(made, **changes)


def failure(run: Run, text: str, **changes: Any) -> QueryOutcome:
    return outcome(run, message=f"[Request ID: x] {text}", fingerprint=text, **changes)


@in_a_loop
async def test_a_transition_waits_for_all_its_queries_and_is_of_one_row(world: World) -> None:
    client = Client(world)
    client.add(0, "a")
    client.add(1, "b")
    await world.ticks()
    first, second = world.runner.take("a"), world.runner.take("b")
    first.finish(outcome(first, "a1"))
    world.commit()
    await world.ticks()
    assert client.told == []
    second.finish(outcome(second, "b1", stale=True))
    assert client.told == [(1, {0: "a1", 1: "b1"})]
    await world.ticks()
    for name in ("a", "b"):
        run = world.runner.take(name)
        run.finish(outcome(run, f"{name}2"))
    assert client.told[1:] == [(2, {0: "a2", 1: "b2"})]


@in_a_loop
async def test_a_later_run_that_is_stale_runs_again_although_an_earlier_one_has_not_ended(
    world: World,
) -> None:
    """With several executors runs may end in any order."""
    client, late = Client(world), Client(world)
    client.add(0, "a")
    await world.ticks()
    early = world.runner.take()
    world.commit()
    late.add(0, "a")
    await world.ticks(12)  # it waits for the first run, but not for ever
    newer = world.runner.take()
    assert (early.row, newer.row) == (1, 2)
    world.commit(b"\x02")  # touches what `newer` has read, which nobody knows yet
    newer.finish(outcome(newer, "at 2", stale=True))
    early.finish(outcome(early, "at 1"))
    await world.ticks()
    newest = world.runner.take()
    newest.finish(outcome(newest, "at 3"))
    await world.ticks()
    assert [values[0] for _, values in client.told] == ["at 1", "at 3"]
    assert [values[0] for _, values in late.told] == ["at 2", "at 3"]


@pytest.mark.parametrize("order", ["early first", "late first"])
def test_two_first_runs_of_a_page_show_one_border(order: str) -> None:
    @in_a_loop
    async def test(world: World) -> None:
        client, late = Client(world), Client(world)
        client.add(0, "page")
        await world.ticks()
        early = world.runner.take()
        world.commit()
        late.add(0, "page")
        await world.ticks(12)
        runs = [early, world.runner.take()]
        runs.sort(key=lambda run: run.row, reverse=order == "late first")
        runs[0].finish(outcome(runs[0], "until X", journal="X"))
        runs[1].finish(outcome(runs[1], "until Y", journal="Y"))
        await world.ticks()
        again = world.runner.take()
        assert again.entry.key.journal == again.borders == "X"
        again.finish(outcome(again, "until X, again", journal="X"))
        await world.ticks()
        for one in (client, late):
            assert one.told[-1][1] == {0: "until X, again"}
            assert set(one.journals) == {"X"}

    test()


@in_a_loop
async def test_a_page_that_fails_for_a_while_keeps_its_border(world: World) -> None:
    client = Client(world)
    client.add(0, "page")
    await world.ticks()
    run = world.runner.take()
    run.finish(outcome(run, "fine", journal="X"))
    world.commit()
    await world.ticks()
    run = world.runner.take()
    run.finish(failure(run, "before it came to its pages"))
    client.become("somebody")
    await world.ticks()
    run = world.runner.take()
    assert run.borders == "X"
    run.finish(outcome(run, "fine again", journal="X"))
    assert client.journals == ["X", "X", "X"]


@in_a_loop
async def test_a_journal_that_does_not_fit_is_not_handed_back(world: World) -> None:
    client = Client(world)
    client.add(0, "page", journal="X")
    await world.ticks()
    run = world.runner.take()
    run.finish(failure(run, "InvalidCursor", data=b'{"paginationError":"InvalidCursor"}'))
    assert client.journals == [None]


@in_a_loop
async def test_one_result_serves_all_callers_until_a_run_asks_who_calls(world: World) -> None:
    clients = {name: Client(world, name) for name in (b"alice", b"bob", b"carol")}
    for client in clients.values():
        client.add(0, "maybe")
    await world.ticks()
    shared = world.runner.take()
    assert world.runner.started == []
    shared.finish(outcome(shared, "for all"))
    assert all(client.told == [(1, {0: "for all"})] for client in clients.values())
    world.commit()
    await world.ticks()
    asking = world.runner.take()
    assert world.runner.started == []
    asking.finish(outcome(asking, asking.entry.caller.decode(), reads_identity=True))
    await world.ticks()
    for _ in range(2):
        run = world.runner.take()
        run.finish(outcome(run, run.entry.caller.decode(), reads_identity=True))
    await world.ticks()
    for name, client in clients.items():
        assert client.told[1:] == [(2, {0: name.decode()})]


@in_a_loop
async def test_a_result_for_another_is_not_told_under_the_identity_before(world: World) -> None:
    """Bob waits for the run that Alice's subscription began; he signs in as Alice before it ends."""
    alice, bob = Client(world, b"alice"), Client(world, b"bob")
    alice.add(0, "who")
    bob.add(0, "who")
    await world.ticks()
    run = world.runner.take()
    bob.become("alice")
    run.finish(outcome(run, "alice", reads_identity=True))
    await world.ticks()
    assert alice.told == [(1, {0: "alice"})]
    identities = [message["endVersion"]["identity"] for message in bob.transport.messages]
    assert identities == [1]
    assert bob.told == [(1, {0: "alice"})]


@in_a_loop
async def test_a_failure_of_the_server_passes_by_itself(world: World) -> None:
    world_delay, hub_module.RETRY_FIRST_S = hub_module.RETRY_FIRST_S, 0.01
    try:
        client = Client(world)
        client.add(0, "a")
        await world.ticks()
        for _ in range(2):
            run = world.runner.take()
            run.finish(failure(run, "executor lost", passing=True, reads=[]))
            async with asyncio.timeout(5):
                while not world.runner.started:
                    await asyncio.sleep(0.005)
        run = world.runner.take()
        run.finish(outcome(run, "at last"))
        assert [list(values.values()) for _, values in client.told] == [
            ["[Request ID: x] executor lost"], [], ["at last"],
        ]  # fmt: skip
    finally:
        hub_module.RETRY_FIRST_S = world_delay


@in_a_loop
async def test_a_run_that_had_to_move_to_a_later_row_is_told_with_the_others_at_that_row(
    world: World,
) -> None:
    client = Client(world)
    client.add(0, "a")
    client.add(1, "b")
    await world.ticks()
    first, second = world.runner.take("a"), world.runner.take("b")
    first.finish(outcome(first, "a1"))
    world.commit()
    second.finish(outcome(second, "b2", row=2))  # its executor was lost, it ran again on another
    await world.ticks()
    run = world.runner.take("a")
    run.finish(outcome(run, "a2"))
    await world.ticks()
    assert client.told == [(2, {0: "a2", 1: "b2"})]


@in_a_loop
async def test_callers_with_other_rights_share_nothing(world: World) -> None:
    admin, stranger = Client(world), Client(world)
    admin.session.act_for(Caller(b"", FULL_ACCESS))
    admin.add(0, "a")
    stranger.add(0, "a")
    await world.ticks()
    assert len(world.runner.started) == 2


@in_a_loop
async def test_a_mutation_that_touches_no_query_of_its_session_is_told_before_the_next_tick(
    world: World,
) -> None:
    client = Client(world)
    await world.ticks(1)
    world.commit()
    world.hub.schedule(world.bystander)
    world.hub.owe(client.session)
    await asyncio.sleep(0)
    assert client.told == [(2, {})]
    assert not world.hub._transitions  # what was told is not kept


@in_a_loop
async def test_a_mutation_that_touches_a_query_of_its_session_is_told_with_its_new_result(
    world: World,
) -> None:
    client = Client(world)
    client.add(0, "a")
    await world.ticks()
    run = world.runner.take("a")
    run.finish(outcome(run, "a1"))
    world.commit()
    world.hub.owe(client.session)
    await world.ticks()
    assert client.told == [(1, {0: "a1"})]
    run = world.runner.take("a")
    run.finish(outcome(run, "a2"))
    assert client.told[1:] == [(2, {0: "a2"})]
