"""Laws of single layers, each with more examples than the model of all of them together can afford."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from convexpy.database import (
    Checkpointer,
    ReadSetIndex,
    Store,
    Transaction,
    WriteSet,
    _blocks,
    _first_keys,
    _memory,
    encode_entry,
    new_index_document,
    written_keys,
)
from convexpy.functions._host import Bound, QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import MemoryFiles
from convexpy.runtime import ManualClock


class Items:
    """A table with numbers in `n`, indexed by `by_n`."""

    def __init__(self, *numbers: int, is_local: bool = True) -> None:
        files = MemoryFiles()
        self.checkpointer = Checkpointer(files.writer())
        self.reader: Any = files.reader()
        self.reader.is_local = is_local
        self.store = Store(self.reader, clock=ManualClock())
        self.random = random.Random(2)
        self.seq = self.call = 0
        transaction = self.begin()
        first = transaction.insert("items", {"n": 0})
        tablet = transaction.catalog.by_name["items"].tablet
        index = new_index_document(transaction.catalog, tablet, "by_n", ("n",), state="ready")
        transaction.system_insert("_index", index)
        transaction.delete(first)
        self.commit(transaction)
        transaction = self.begin()
        self.ids = [transaction.insert("items", {"n": n}) for n in numbers]
        self.commit(transaction)

    def begin(self) -> Transaction:
        return self.store.begin(
            writable=True, now_ms=1_718_000_000_000, budget=TransactionBudget(), random=self.random
        )

    def accept(self, transaction: Transaction) -> WriteSet:
        write_set = transaction.write_set("op", "f")
        assert write_set is not None
        self.call += 1
        self.store.accept(self.call, write_set)
        return write_set

    def durable(self, write_set: WriteSet) -> None:
        self.seq += 1
        self.store.own_commit(self.seq, self.seq, self.call)
        entry = encode_entry([write_set.encoded], max_creation_time=write_set.max_creation_time)
        self.checkpointer.row(self.seq, self.seq, entry)

    def commit(self, transaction: Transaction) -> bytes:
        if transaction.write_set("op", "f") is None:
            return b""
        write_set = self.accept(transaction)
        self.durable(write_set)
        return write_set.encoded

    def numbers(self, plan: QueryPlan | None = None) -> list[int]:
        return [document["n"] for document in self.begin().stream(plan or QueryPlan("items", "by_n"))]


NUMBERS = st.lists(st.integers(0, 5), max_size=6)
BOUNDS = st.none() | st.builds(Bound, st.just("n"), st.integers(0, 5), st.booleans())
PLANS = st.builds(
    QueryPlan,
    st.just("items"),
    st.just("by_n"),
    lower=BOUNDS,
    upper=BOUNDS,
    order=st.sampled_from(["asc", "desc"]),
)
EQUAL = st.builds(
    QueryPlan,
    st.just("items"),
    st.just("by_n"),
    equal=st.integers(0, 5).map(lambda n: (("n", n),)),
    order=st.sampled_from(["asc", "desc"]),
)


def write(transaction: Transaction, ids: list[str], kind: int, choice: int, number: int) -> None:
    alive = [id for id in ids if transaction.get(id) is not None]
    if kind == 0 or not alive:
        ids.append(transaction.insert("items", {"n": number}))
    elif kind == 1:
        transaction.delete(alive[choice % len(alive)])
    elif kind == 2:
        transaction.patch(alive[choice % len(alive)], None, {"n": number})
    else:
        transaction.patch(alive[choice % len(alive)], None, {"other": number})


WRITES = st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 5))


@given(NUMBERS, PLANS | EQUAL, st.none() | st.integers(1, 3), st.booleans(), WRITES, st.booleans())
def test_a_write_that_changes_a_result_touches_its_read_set(
    held: list[int],
    plan: QueryPlan,
    limit: int | None,
    own: bool,
    change: tuple[int, int, int],
    checkpoint: bool,
) -> None:
    items = Items(*held)
    if checkpoint:
        items.checkpointer.run(items.seq)
        items.store.checkpoint(items.seq)
    reading = items.begin()
    if own:  # reading takes another path where the transaction has written
        reading.push()
        reading.insert("items", {"n": 3})
        reading.drop()
    before = list(reading.stream(plan, limit=limit))
    read_sets = ReadSetIndex()
    read_sets.put(1, reading.read_set.encoded())
    transaction = items.begin()
    write(transaction, items.ids, *change)
    encoded = items.commit(transaction)
    after = list(items.begin().stream(plan, limit=limit))
    assert before == after or read_sets.touched(written_keys(encoded)) == {1}


STEPS = st.lists(st.sampled_from(["push", "merge", "drop"]) | WRITES, max_size=25)


@given(NUMBERS, STEPS)
def test_nested_sub_transactions_leave_what_a_stack_of_copies_leaves(
    held: list[int], steps: list[Any]
) -> None:
    items = Items(*held)
    transaction = items.begin()

    def everything() -> list[Any]:
        plans = (
            QueryPlan("items", name, order=o) for name in ("by_n", "by_id", None) for o in ("asc", "desc")
        )
        return [list(transaction.stream(plan)) for plan in plans]

    saved: list[list[Any]] = []
    for step in steps:
        if step == "push":
            saved.append(everything())
            transaction.push()
        elif step == "merge" and saved:
            saved.pop()
            transaction.merge()
        elif step == "drop" and saved:
            transaction.drop()
            assert everything() == saved.pop()
        elif isinstance(step, tuple):
            write(transaction, items.ids, *step)
    while saved:
        saved.pop()
        transaction.merge()
    last = everything()
    items.commit(transaction)
    transaction = items.begin()
    assert everything() == last


def test_speculation_is_taken_back_after_a_checkpoint() -> None:
    items = Items(1)
    transaction = items.begin()
    transaction.patch(items.ids[0], None, {"n": 2})
    items.accept(transaction)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    assert items.numbers() == [2]
    items.store.drop_speculation()
    assert items.numbers() == [1]


def test_a_first_document_that_is_gone_does_not_hide_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache knows the first key of a prefix from an older checkpoint, but its document no longer."""
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", 0)
    items = Items(1, 1)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    plan = QueryPlan("items", "by_n", (("n", 1),))
    first = items.begin().first(plan)
    assert first is not None
    transaction = items.begin()
    transaction.delete(first["_id"])
    items.commit(transaction)
    items.checkpointer.run(items.seq)
    items.store.idle()
    second = items.begin().first(plan)
    assert second is not None
    assert second["_id"] != first["_id"]


def test_the_cache_serves_repeated_reads_and_forgets_what_changed() -> None:
    items = Items(1, 2)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    plan = QueryPlan("items", "by_n", (("n", 1),))
    assert items.numbers(plan) == [1]
    calls = 0
    held = items.store._reader

    class Counting:
        def __getattr__(self, name: str) -> Any:
            nonlocal calls
            calls += name in ("get", "range")
            return getattr(held, name)

    items.store._reader = Counting()
    for _ in range(3):
        assert items.begin().first(plan) is not None
        assert items.begin().get(items.ids[0]) is not None
        assert items.begin().first(QueryPlan("items", "by_n", (("n", 7),))) is None
    assert calls <= 2
    assert items.store.memory_bytes > 0
    transaction = items.begin()
    transaction.patch(items.ids[0], None, {"n": 7})
    items.commit(transaction)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    assert items.begin().first(plan) is None
    assert items.begin().first(QueryPlan("items", "by_n", (("n", 7),))) is not None


ORDERS: tuple[Any, ...] = ("asc", "desc")
FIRSTS = [
    QueryPlan("items", "by_n", equal, order=order)
    for equal in ((), (("n", 0),), (("n", 1),), (("n", 2),))
    for order in ORDERS
]


@given(NUMBERS, st.lists(st.sampled_from(["checkpoint", "unheard", "idle"]) | WRITES, max_size=12))
@example([0], ["checkpoint", (2, 0, 0), "unheard", (0, 0, 0), "unheard"])
def test_what_the_cache_gives_is_what_the_range_gives(held: list[int], steps: list[Any]) -> None:
    items = Items(*held)
    for step in steps:
        if step in ("checkpoint", "unheard"):
            items.checkpointer.run(items.seq)
            if step == "checkpoint":
                items.store.checkpoint(items.seq)
        elif step == "idle":
            items.store.idle()
        else:
            transaction = items.begin()
            write(transaction, items.ids, *step)
            items.commit(transaction)
        for plan in FIRSTS:
            # With two wanted, the cache of first documents is not asked.
            wanted = list(items.begin().stream(plan, limit=2))[:1]
            found = items.begin().first(plan)
            assert ([] if found is None else [found]) == wanted


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", 2000)
    monkeypatch.setattr(_first_keys, "FIRST_KEYS_MAX", 4)
    items = Items(*range(20))
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    for n in range(20):
        assert items.begin().first(QueryPlan("items", "by_n", (("n", n),))) is not None
        assert items.begin().get(items.ids[n]) is not None
    # What was written before the checkpoint has gone with its generation, at the second time that room was made.
    assert items.store.memory_bytes < 2 * 2000 + 5 * _first_keys.ENTRY_OVERHEAD_BYTES


def test_blocks_are_forgotten_with_the_changes_that_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", 0)
    items = Items(*range(6), is_local=False)
    for number in range(6, 60, 6):
        items.checkpointer.run(items.seq)
        items.store.checkpoint(items.seq)
        found = [items.begin().get(id) for id in items.ids]
        assert [document and document["n"] for document in found] == [number - 6 + n for n in range(6)]
        assert items.numbers() == [number - 6 + n for n in range(6)]
        transaction = items.begin()
        for n, id in enumerate(items.ids):
            transaction.patch(id, None, {"n": number + n})
        items.commit(transaction)


def test_one_journey_brings_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    items = Items(*range(1000), is_local=False)
    items.checkpointer.run(items.seq)
    items.store.idle()
    items.store = Store(items.reader, clock=ManualClock())
    journeys = 0
    for name in ("get", "range", "ids"):
        read = getattr(items.reader, name)

        def counted(*given: Any, read: Any = read, **named: Any) -> Any:
            nonlocal journeys
            journeys += 1
            return read(*given, **named)

        monkeypatch.setattr(items.reader, name, counted)
    numbers = list(range(1000))
    items.random.shuffle(numbers)
    for n in numbers:
        first = items.begin().first(QueryPlan("items", "by_n", (("n", n),)))
        assert first is not None
        assert first["n"] == n
    assert journeys < 120
    assert items.begin().first(QueryPlan("items", "by_n", (("n", 1000),))) is None
    before, journeys = journeys, 0
    assert len([items.begin().get(id) for id in items.ids]) == 1000
    assert journeys == 0, before  # documents that were found by their key


def test_blocks_are_bounded_and_become_smaller_where_neighbours_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_memory, "MEMORY_BYTES_MAX", 4000)
    monkeypatch.setattr(_first_keys, "FIRST_KEYS_MAX", 4)
    monkeypatch.setattr(_blocks, "BYTES_MAX", 10_000)
    monkeypatch.setattr(_blocks, "WINDOW", 16)
    items = Items(*range(2000), is_local=False)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    blocks: Any = items.store._blocks
    for _ in range(600):
        n = items.random.randrange(2000)
        assert items.begin().first(QueryPlan("items", "by_n", (("n", n),))) is not None
        assert blocks.size_bytes <= 10_000
    (of_index,) = [each for number, each in blocks._indexes.items() if number > 0 and len(each.blocks) > 1]
    assert of_index.size <= _blocks.ITEMS_MIN
    for n in range(400):
        assert items.begin().first(QueryPlan("items", "by_n", (("n", n),))) is not None
    assert of_index.size >= 16


def test_a_deleted_prefix_of_any_length_is_passed_by_first() -> None:
    items = Items(*([1] * 40), 2)
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    transaction = items.begin()
    for id in items.ids[:-1]:
        transaction.delete(id)
    items.commit(transaction)
    cases: tuple[tuple[Any, int], ...] = (("asc", 1), ("desc", 2))
    for order, limit in cases:
        found = list(items.begin().stream(QueryPlan("items", "by_n", order=order), limit=limit))
        assert [document["n"] for document in found] == [2]
    assert items.begin().first(QueryPlan("items", "by_n", (("n", 1),))) is None


def test_a_document_that_is_written_often_takes_the_memory_of_one() -> None:
    items = Items(*range(10))
    sizes = []
    for n in range(2_000):
        transaction = items.begin()
        transaction.patch(items.ids[n % 10], None, {"other": n})
        items.commit(transaction)
        sizes.append(items.store.memory_bytes)
    assert sizes[-1] <= sizes[20]


@pytest.mark.parametrize("order", ORDERS)
def test_a_queue_is_not_searched_from_its_start(order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    items = Items(*([1] * 300))
    items.checkpointer.run(items.seq)
    items.store.checkpoint(items.seq)
    looked_at = 0
    held = _memory.MemoryLayer.keys

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal looked_at
        for found in held(*arguments, **options):
            looked_at += 1
            yield found

    monkeypatch.setattr(_memory.MemoryLayer, "keys", counted)
    for _ in range(300):
        transaction = items.begin()
        first = transaction.first(QueryPlan("items", "by_n", (("n", 1),), order=order))
        assert first is not None
        transaction.patch(first["_id"], None, {"n": 2})
        items.commit(transaction)
    assert items.begin().first(QueryPlan("items", "by_n", (("n", 1),), order=order)) is None
    assert looked_at < 3 * 300
