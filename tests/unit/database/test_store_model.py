"""Reading through all layers equals reading a naive model with all writes applied.

A mutation executor's store (speculation), a query executor's store (rows as bytes) and a checkpointer run side by side over
one set of files, in memory, SQLite or PostgreSQL; rows, checkpoints, idling, failures and restarts happen at random moments.
Queries that were run stay registered by their read sets: as long as no row touches one, running it again must give the
same result.
"""

from __future__ import annotations

import functools
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.postgres import PostgresServer

from convexpy.database import (
    Checkpointer,
    ReadSetIndex,
    Replay,
    Store,
    Transaction,
    WriteSet,
    _blocks,
    _first_keys,
    _memory,
    encode_entry,
    new_index_document,
    recover,
    written_keys,
)
from convexpy.functions._host import Bound, QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import CheckpointWriter, LogStore, MemoryFiles
from convexpy.persistence.postgres import DatabaseAddress, PostgresStore
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader
from convexpy.runtime import ManualClock
from convexpy.values import UNSET, Int64, compare

TABLES = ("items", "others")
INDEXES = {"by_a": ("a",), "by_ab": ("a", "b"), "by_deep": ("c.x", "b")}
VALUES = (UNSET, None, Int64(1), 0, 1, 2.5, -3, True, "", "a", "a\0", "b", b"x", [1], {"x": 1})
FIELDS = st.fixed_dictionaries(
    {"a": st.sampled_from(VALUES), "b": st.sampled_from(VALUES), "n": st.integers(0, 5)},
    optional={"c": st.fixed_dictionaries({"x": st.sampled_from(VALUES[1:8])})},
)
Document = dict[str, Any]
State = dict[str, tuple[str, Document]]


def at(document: Document, path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNSET
        value = value[name]
    return value


def compared(left: list[Any], right: list[Any]) -> int:
    for one, other in zip(left, right, strict=False):
        result = compare(one, other)
        if result:
            return result
    return 0


def fields_of(index: str | None) -> tuple[str, ...]:
    if index == "by_id":
        return ("_id",)
    return (*INDEXES.get(index or "", ()), "_creationTime", "_id")


def expected(state: State, plan: QueryPlan) -> list[Document]:
    """The plan's result, by sorting and filtering everything."""
    found = [document for table, document in state.values() if table == plan.table]
    for field, value in plan.equal:
        found = [d for d in found if compared([at(d, field)], [value]) == 0]
    if plan.lower is not None:
        least = 0 if plan.lower.inclusive else 1
        found = [d for d in found if compared([at(d, plan.lower.field)], [plan.lower.value]) >= least]
    if plan.upper is not None:
        most = 0 if plan.upper.inclusive else -1
        found = [d for d in found if compared([at(d, plan.upper.field)], [plan.upper.value]) <= most]
    return sorted(found, key=ordering(plan.index), reverse=plan.order == "desc")


def ordering(index: str | None) -> Any:
    """A sort key that compares documents as the index does."""
    fields = fields_of(index)

    def compare_documents(one: Document, other: Document) -> int:
        return compared([at(one, field) for field in fields], [at(other, field) for field in fields])

    return functools.cmp_to_key(compare_documents)


@st.composite
def plans(draw: st.DrawFn) -> QueryPlan:
    index: str | None = draw(st.sampled_from([None, "by_creation_time", "by_id", *INDEXES]))
    table = "items" if index in INDEXES else draw(st.sampled_from(TABLES))
    fields: tuple[str, ...] = fields_of(index)[:-1] if index in INDEXES else ()
    depth = draw(st.integers(0, len(fields) - 1)) if fields else 0
    equal = tuple((field, draw(st.sampled_from(VALUES))) for field in fields[:depth])
    lower = upper = None
    bounded = st.booleans() if fields else st.just(False)
    if draw(bounded):
        lower = Bound(fields[depth], draw(st.sampled_from(VALUES)), draw(st.booleans()))
    if draw(bounded):
        upper = Bound(fields[depth], draw(st.sampled_from(VALUES)), draw(st.booleans()))
    order: Any = draw(st.sampled_from(["asc", "desc"]))
    return QueryPlan(table, index, equal, ordered=True, lower=lower, upper=upper, order=order)


class StoreMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_718_000_000_000_000_000)
        self.random = random.Random(7)
        self.open_files()
        self.call_id = 0
        self.durable: State = {}
        self.speculative: list[tuple[int, WriteSet, State]] = []
        self.transaction: Transaction | None = None
        self.states: list[State] = []
        self.replays: dict[tuple[str, int], bytes] = {}
        self.watched: dict[int, tuple[QueryPlan, int | None, list[Document]]] = {}
        self.read_sets = ReadSetIndex()
        self.token = 0
        self.start()

    # Files, replaced by the SQLite machine

    def open_files(self) -> None:
        self.files = MemoryFiles()

    def reopen(self) -> None:
        self.log: LogStore = self.files.log
        self.writer: CheckpointWriter = self.files.writer()

    def reader(self) -> Any:
        return self.files.reader()

    # Start and restart

    def start(self) -> None:
        self.reopen()
        recovered = recover(self.log, self.writer, clock=self.clock)
        self.seq, self.ts = recovered.seq, recovered.ts
        self.highest = recovered.max_creation_time
        self.checkpointer = Checkpointer(self.writer)
        self.mutations = Store(self.reader(), clock=self.clock)
        self.queries = Store(self.reader(), clock=self.clock)
        for row in recovered.rows:
            for receiver in (self.checkpointer, self.mutations, self.queries):
                receiver.row(*row)

    def begin(self, store: Store, *, writable: bool) -> Transaction:
        now_ms = self.clock.now_ns() // 1_000_000
        return store.begin(writable=writable, now_ms=now_ms, budget=TransactionBudget(), random=self.random)

    @initialize()
    def make_indexes(self) -> None:
        transaction = self.begin(self.mutations, writable=True)
        transaction.insert("items", {"n": 0})
        tablet = transaction.catalog.by_name["items"].tablet
        for name, fields in INDEXES.items():
            document = new_index_document(transaction.catalog, tablet, name, fields, state="ready")
            transaction.system_insert("_index", document)
        # Keys of a new index are only written from the next transaction on.
        transaction.delete(next(transaction.stream(QueryPlan("items")))["_id"])
        self.transaction, self.states = transaction, [{}]
        self.commit()
        self.make_durable(count=1)

    # One transaction

    @property
    def state(self) -> State:
        return self.states[-1]

    @precondition(lambda self: self.transaction is None)
    @rule()
    def begin_transaction(self) -> None:
        self.transaction = self.begin(self.mutations, writable=True)
        newest = self.speculative[-1][2] if self.speculative else self.durable
        self.states = [dict(newest)]

    @precondition(lambda self: self.transaction is not None)
    @rule(table=st.sampled_from(TABLES), fields=st.lists(FIELDS, min_size=1, max_size=4))
    def insert(self, table: str, fields: list[Document]) -> None:
        assert self.transaction is not None
        for one in fields:
            value = {name: kept for name, kept in one.items() if kept is not UNSET}
            id = self.transaction.insert(table, value)
            stored = self.transaction.get(id)
            assert stored is not None
            assert stored == {**value, "_id": id, "_creationTime": stored["_creationTime"]}
            times = [document["_creationTime"] for _, document in self.state.values()]
            assert all(stored["_creationTime"] > time for time in times)
            self.state[id] = (table, stored)

    def some_id(self, choice: int) -> str | None:
        return sorted(self.state)[choice % len(self.state)] if self.state else None

    @precondition(lambda self: self.transaction is not None)
    @rule(choice=st.integers(0, 10**6), fields=FIELDS, replace=st.booleans())
    def change(self, choice: int, fields: Document, replace: bool) -> None:
        id = self.some_id(choice)
        if id is None or self.transaction is None:
            return
        table, old = self.state[id]
        if replace:
            value = {name: kept for name, kept in fields.items() if kept is not UNSET}
            self.transaction.replace(id, None, value)
            new = {**value, "_id": id, "_creationTime": old["_creationTime"]}
        else:
            self.transaction.patch(id, table, fields)
            new = {name: kept for name, kept in {**old, **fields}.items() if kept is not UNSET}
        self.state[id] = (table, new)

    @precondition(lambda self: self.transaction is not None)
    @rule(choice=st.integers(0, 10**6))
    def delete(self, choice: int) -> None:
        id = self.some_id(choice)
        if id is not None and self.transaction is not None:
            self.transaction.delete(id)
            assert self.transaction.get(id) is None
            del self.state[id]

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def push(self) -> None:
        assert self.transaction is not None
        self.transaction.push()
        self.states.append(dict(self.state))

    @precondition(lambda self: len(self.states) > 1)
    @rule(keep=st.booleans())
    def pop(self, keep: bool) -> None:
        assert self.transaction is not None
        top = self.states.pop()
        if keep:
            self.transaction.merge()
            self.states[-1] = top
        else:
            self.transaction.drop()

    @precondition(lambda self: self.transaction is not None)
    @rule(plan=plans(), limit=st.none() | st.integers(1, 4))
    def read_in_transaction(self, plan: QueryPlan, limit: int | None) -> None:
        assert self.transaction is not None
        found = list(self.transaction.stream(plan, limit=limit))
        assert found == expected(self.state, plan)[:limit]

    @precondition(lambda self: self.transaction is not None and self.state)
    @rule(plan=plans(), data=st.data())
    def write_while_iterating(self, plan: QueryPlan, data: st.DataObject) -> None:
        """What was passed does not come again, what is written ahead is seen."""
        assert self.transaction is not None
        seen: list[str] = []
        order = ordering(plan.index)
        last = None
        for document in self.transaction.stream(plan):
            assert self.state[document["_id"]] == (plan.table, document)
            if last is not None:
                assert (order(last) < order(document)) == (plan.order == "asc")
            last = document
            seen.append(document["_id"])
            action = data.draw(st.sampled_from(["nothing", "delete", "change", "insert", "stop"]))
            if action == "delete":
                self.delete(data.draw(st.integers(0, 100)))
            elif action == "change":
                self.change(data.draw(st.integers(0, 100)), data.draw(FIELDS), False)
            elif action == "insert" and len(seen) < 5:
                self.insert(plan.table, [data.draw(FIELDS)])
            elif action == "stop":
                break

    @precondition(lambda self: self.transaction is not None and len(self.states) == 1)
    @rule(with_replay=st.booleans())
    def commit(self, with_replay: bool = False) -> None:
        assert self.transaction is not None
        self.call_id += 1
        replay = Replay("session", self.call_id, b"result") if with_replay else None
        write_set = self.transaction.write_set(f"call{self.call_id}", "f", replay)
        if write_set is not None:
            self.mutations.accept(self.call_id, write_set)
            self.speculative.append((self.call_id, write_set, self.states[0]))
            if replay is not None:
                found = self.mutations.replay("session", self.call_id)
                assert found is not None
                assert found.seq is None
        self.transaction, self.states = None, []

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def abort(self) -> None:
        self.transaction, self.states = None, []

    # The server

    @precondition(lambda self: self.speculative and self.transaction is None)
    @rule(count=st.integers(1, 3))
    def make_durable(self, count: int) -> None:
        group, self.speculative = self.speculative[:count], self.speculative[count:]
        self.seq += 1
        self.ts += 1
        self.highest = max(self.highest, *(write_set.max_creation_time for _, write_set, _ in group))
        entry = encode_entry([write_set.encoded for _, write_set, _ in group], max_creation_time=self.highest)
        self.log.append(self.seq, self.ts, entry)
        self.mutations.own_commit(self.seq, self.ts, group[-1][0])
        self.queries.row(self.seq, self.ts, entry)
        self.checkpointer.row(self.seq, self.ts, entry)
        self.durable = group[-1][2]
        for _, write_set, _ in group:
            for token in self.read_sets.touched(written_keys(write_set.encoded)):
                self.read_sets.remove(token)
                del self.watched[token]
            if write_set.record.replay is not None:
                replay = write_set.record.replay
                self.replays[replay.session, replay.request] = replay.result

    @precondition(lambda self: self.transaction is None)
    @rule()
    def drop_speculation(self) -> None:
        self.mutations.drop_speculation()
        self.speculative = []

    @precondition(lambda self: self.transaction is None)
    @rule(back=st.integers(0, 3), tell=st.booleans())
    def checkpoint(self, back: int, tell: bool) -> None:
        target = max(self.seq - back, self.checkpointer.checkpoint_seq)
        self.checkpointer.run(target)
        if tell:
            for store in (self.mutations, self.queries):
                store.checkpoint(target)

    @precondition(lambda self: self.transaction is None)
    @rule(which=st.booleans())
    def idle(self, which: bool) -> None:
        (self.mutations if which else self.queries).idle()

    @precondition(lambda self: self.transaction is None)
    @rule()
    def restart(self) -> None:
        """As after kill -9: what was not durable is gone, the rest is there."""
        self.speculative = []
        self.start()

    @precondition(lambda self: self.transaction is None)
    @rule(plan=plans(), limit=st.none() | st.integers(1, 3))
    def query(self, plan: QueryPlan, limit: int | None) -> None:
        transaction = self.begin(self.queries, writable=False)
        found = list(transaction.stream(plan, limit=limit))
        assert found == expected(self.durable, plan)[:limit]
        self.token += 1
        self.watched[self.token] = (plan, limit, found)
        self.read_sets.put(self.token, transaction.read_set.encoded())

    @precondition(lambda self: self.transaction is None)
    @rule()
    def everything_is_there(self) -> None:
        for store, state in (
            (self.queries, self.durable),
            (self.mutations, self.speculative[-1][2] if self.speculative else self.durable),
        ):
            transaction = self.begin(store, writable=False)
            for id, (_, document) in state.items():
                assert transaction.get(id) == document
            for table in TABLES:
                for index in (None, "by_id"):
                    plan = QueryPlan(table, index)
                    assert list(transaction.stream(plan)) == expected(state, plan)
                assert transaction.count(QueryPlan(table)) == len(expected(state, QueryPlan(table)))
            for (session, request), result in self.replays.items():
                found = store.replay(session, request)
                assert found is not None
                assert (found.result, found.seq is None) == (result, False)

    @precondition(lambda self: self.transaction is None)
    @rule()
    def untouched_queries_give_what_they_gave(self) -> None:
        transaction = self.begin(self.queries, writable=False)
        for plan, limit, found in self.watched.values():
            assert list(transaction.stream(plan, limit=limit)) == found

    @invariant()
    def memory_is_counted(self) -> None:
        assert self.mutations.memory_bytes >= 0
        assert self.queries.memory_bytes >= 0


class BlocksStoreMachine(StoreMachine):
    """The same over a checkpoint that is read in blocks, as that of a database server."""

    def reader(self) -> Any:
        reader = self.files.reader()
        reader.is_local = False
        return reader


class SqliteStoreMachine(StoreMachine):
    """The same over real files."""

    def open_files(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convexpy-model-"))
        self.opened: list[Any] = []

    def reopen(self) -> None:
        self.close_files()
        data = DataFolder(self.folder, allow_network_file_system=True)
        self.opened.append(data)
        self.log, self.writer = data.log, data.checkpoint

    def reader(self) -> Any:
        reader = open_checkpoint_reader(self.folder)
        self.opened.append(reader)
        return reader

    def close_files(self) -> None:
        for opened in reversed(self.opened):
            opened.close()
        self.opened = []

    def teardown(self) -> None:
        self.close_files()
        shutil.rmtree(self.folder)


def postgres_machine(new_url: Callable[[], str]) -> type[StoreMachine]:
    """Return the same over PostgreSQL; each example takes a schema of its own."""

    class PostgresStoreMachine(SqliteStoreMachine):
        def open_files(self) -> None:
            self.address = DatabaseAddress.parse(new_url())
            self.opened: list[Any] = []

        def reopen(self) -> None:
            self.close_files()
            self.store = PostgresStore(self.address)
            self.opened.append(self.store)
            self.log, self.writer = self.store.log, self.store.writer()
            self.opened.append(self.writer)

        def reader(self) -> Any:
            reader = self.store.reader()
            self.opened.append(reader)
            return reader

        def teardown(self) -> None:
            self.close_files()

    return PostgresStoreMachine


def run(machine: type[StoreMachine], *, examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
        ),
    )


@pytest.mark.slow
def test_memory_layers_equal_a_naive_model() -> None:
    run(StoreMachine, examples=25, steps=40)


def test_sqlite_layers_equal_a_naive_model() -> None:
    run(SqliteStoreMachine, examples=8, steps=40)


def test_layers_over_a_read_cache_that_is_always_full_equal_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", 700)
    monkeypatch.setattr(_first_keys, "FIRST_KEYS_MAX", 3)
    run(StoreMachine, examples=25, steps=40)


@pytest.mark.parametrize("memory_bytes", [700, 48 * 2**20])
@pytest.mark.parametrize("block_bytes", [1500, 24 * 2**20])
def test_blocks_equal_a_naive_model(
    monkeypatch: pytest.MonkeyPatch, memory_bytes: int, block_bytes: int
) -> None:
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", memory_bytes)
    monkeypatch.setattr(_blocks, "BYTES_MAX", block_bytes)
    monkeypatch.setattr(_blocks, "WINDOW", 4)
    run(BlocksStoreMachine, examples=20, steps=40)


@pytest.mark.slow
def test_postgres_layers_equal_a_naive_model(postgres: PostgresServer) -> None:
    run(postgres_machine(postgres.url), examples=8, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_layers_equal_a_naive_model_for_long() -> None:
    run(StoreMachine, examples=150, steps=80)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sqlite_layers_equal_a_naive_model_for_long() -> None:
    run(SqliteStoreMachine, examples=50, steps=60)
