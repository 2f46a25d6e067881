"""Folding rows, building indexes beside writes, removing what was dropped."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from convexpy.database import (
    Checkpointer,
    Replay,
    Store,
    Transaction,
    checkpointer,
    encode_entry,
    new_index_document,
)
from convexpy.errors import InvariantViolation, SchemaViolation
from convexpy.functions._host import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import MemoryFiles
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader
from convexpy.runtime import ManualClock


class Deployment:
    """A store and a checkpointer over memory or SQLite."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            files = MemoryFiles()
            self.writer: Any = files.writer()
            self.reader: Any = files.reader()
            self.closing: list[Any] = []
        else:
            data = DataFolder(folder, allow_network_file_system=True)
            self.writer, self.reader = data.checkpoint, open_checkpoint_reader(folder)
            self.closing = [self.reader, data]
        self.checkpointer = Checkpointer(self.writer)
        self.store = Store(self.reader, clock=ManualClock())
        self.random = random.Random(11)
        self.seq = 0

    def begin(self) -> Transaction:
        return self.store.begin(writable=True, now_ms=1, budget=TransactionBudget(), random=self.random)

    def commit(self, transaction: Transaction, replay: Replay | None = None) -> int:
        write_set = transaction.write_set("op", "f", replay)
        assert write_set is not None
        self.seq += 1
        entry = encode_entry([write_set.encoded], max_creation_time=write_set.max_creation_time)
        self.store.row(self.seq, self.seq * 10, entry)
        self.checkpointer.row(self.seq, self.seq * 10, entry)
        return self.seq

    def checkpoint(self, seq: int | None = None) -> None:
        self.checkpointer.run(self.seq if seq is None else seq)
        self.store.checkpoint(self.checkpointer.checkpoint_seq)

    def add_index(self, name: str, field: str, state: str) -> int:
        transaction = self.begin()
        tablet = transaction.catalog.by_name["items"].tablet
        document = new_index_document(transaction.catalog, tablet, name, [field], state=state)
        transaction.system_insert("_index", document)
        self.commit(transaction)
        return int(document["number"])

    def set_state(self, name: str, state: str) -> None:
        transaction = self.begin()
        index = transaction.catalog.by_name["items"].by_name[name]
        transaction.system_patch("_index", index.id, {"state": state})
        self.commit(transaction)

    def write(self, chance: random.Random) -> None:
        transaction = self.begin()
        for document in list(transaction.stream(QueryPlan("items"))):
            action = chance.randrange(6)
            if action == 0:
                transaction.delete(document["_id"])
            elif action == 1:
                transaction.patch(document["_id"], None, {"a": chance.randrange(4)})
            elif action == 2:
                transaction.patch(document["_id"], None, {"other": chance.randrange(4)})
        for _ in range(chance.randrange(4)):
            transaction.insert("items", {"a": chance.randrange(4)})
        if transaction.usage()["documents_written"][0]:
            self.commit(transaction)

    def close(self) -> None:
        for opened in self.closing:
            opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_an_index_built_beside_writes_and_checkpoints_is_complete(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="convexpy-walk-")) if kind == "sqlite" else None
    world = Deployment(folder)
    try:
        first = world.begin()
        for n in range(30):
            first.insert("items", {"a": n % 4})
        world.commit(first)
        if chance.random() < 0.7:
            world.checkpoint()
        world.write(chance)
        index = world.add_index("by_a", "a", "building")
        since = world.seq
        world.write(chance)
        world.checkpoint(chance.randrange(since, world.seq + 1))
        tablet = world.store.catalog.by_name["items"].tablet
        walk = world.checkpointer.walk(tablet, [index], since=since)
        done = False
        while not done:
            if chance.random() < 0.5:
                world.write(chance)
            if chance.random() < 0.5:
                world.checkpoint(chance.randrange(world.checkpointer.checkpoint_seq, world.seq + 1))
            done = walk.step(chance.randrange(1, 9))
        # Readers see the keys once they were told of a checkpoint after the last step, even of the same row.
        world.checkpoint(max(world.checkpointer.checkpoint_seq, chance.randrange(since, world.seq + 1)))
        world.set_state("by_a", "ready")
        for _ in range(2):
            for document in [*range(4)]:
                plan = QueryPlan("items", "by_a", (("a", document),))
                wanted = [d for d in world.begin().stream(QueryPlan("items")) if d["a"] == document]
                assert list(world.begin().stream(plan)) == wanted
            world.checkpoint()
        assert world.checkpointer.waiting_rows == 0
    finally:
        world.close()
        if folder is not None:
            shutil.rmtree(folder)


def filled() -> Deployment:
    world = Deployment()
    transaction = world.begin()
    for a in range(3):
        transaction.insert("items", {"a": a})
    world.commit(transaction)
    return world


def test_a_walk_before_the_checkpoint_that_it_needs_is_refused() -> None:
    world = filled()
    world.checkpoint()
    index = world.add_index("by_a", "a", "building")
    tablet = world.store.catalog.by_name["items"].tablet
    with pytest.raises(InvariantViolation, match="needs a checkpoint at 2, it is at 1"):
        world.checkpointer.walk(tablet, [index], since=world.seq)
    world.checkpoint()
    with pytest.raises(InvariantViolation, match="does not have all"):
        world.checkpointer.walk(tablet, [index + 9], since=world.seq)


def test_a_walk_names_the_documents_that_do_not_fit() -> None:
    world = filled()
    world.checkpoint()

    def check(document: dict[str, Any]) -> None:
        if document["a"] > 0:
            raise SchemaViolation(f"{document['a']} is too much")

    walk = world.checkpointer.walk(world.store.catalog.by_name["items"].tablet, [], since=1, check=check)
    assert not walk.step(2)
    assert walk.step(2)
    assert walk.walked == 3
    assert sorted(message for _, message in walk.violations) == ["1 is too much", "2 is too much"]


def test_what_the_catalog_no_longer_names_is_removed_in_slices() -> None:
    world = filled()
    index = world.add_index("by_a", "a", "ready")
    transaction = world.begin()
    transaction.insert("others", {"a": 1})
    for document in list(transaction.stream(QueryPlan("items"))):
        transaction.patch(document["_id"], None, {"b": 1, "a": 9})
    world.commit(transaction)
    world.checkpoint()
    tables = world.store.catalog.by_name
    items, others = tables["items"], tables["others"]
    assert world.checkpointer.drop_slice()
    transaction = world.begin()
    transaction.system_patch("_index", items.by_name["by_a"].id, {"state": "deleting"})
    transaction.system_patch("_tables", others.id, {"state": "deleting"})
    world.commit(transaction)
    assert "others" not in world.store.catalog.by_name
    assert others.tablet in world.store.catalog.by_tablet
    world.checkpoint()
    assert {items.tablet, others.tablet} <= world.writer.stored()[0]
    steps = 0
    while not world.checkpointer.drop_slice(1):
        steps += 1
    assert 2 <= steps < 20
    tablets, indexes = world.writer.stored()
    assert others.tablet not in tablets
    assert index not in indexes
    assert items.tablet in tablets


def test_many_entries_are_folded_in_steps_that_each_end_with_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = filled(), filled()
    ends: list[list[int]] = []
    for world, limit in zip(worlds, (checkpointer.FOLD_ENTRIES_MAX, 8), strict=True):
        chance = random.Random(5)
        for _ in range(40):
            world.write(chance)
        batches: list[int] = []
        apply = world.writer.apply
        world.writer.apply = lambda batch, apply=apply, batches=batches: (
            batches.append(batch.seq),
            apply(batch),
        )
        monkeypatch.setattr(checkpointer, "FOLD_ENTRIES_MAX", limit)
        world.checkpoint(world.seq - 2)
        assert world.checkpointer.checkpoint_seq == world.seq - 2
        world.checkpoint()
        ends.append(batches)
    assert len(ends[0]) == 2
    assert len(ends[1]) > 5
    assert ends[1] == sorted(set(ends[1]))
    one, many = (list(world.begin().stream(QueryPlan("items"))) for world in worlds)
    assert one == many


def test_rows_must_follow_one_another() -> None:
    world = filled()
    with pytest.raises(InvariantViolation, match="row 3 follows row 1"):
        world.checkpointer.row(3, 1, b"")
    with pytest.raises(InvariantViolation, match="has not arrived"):
        world.checkpointer.run(2)
    world.checkpoint()
    world.checkpointer.row(1, 1, b"held already")
    world.checkpointer.run(1)
    assert world.checkpointer.checkpoint_seq == 1


def test_a_checkpointer_started_again_goes_on_where_it_was() -> None:
    world = filled()
    world.checkpoint()
    again = Checkpointer(world.writer)
    assert again.checkpoint_seq == 1
    assert "items" in again.catalog.by_name


def test_replay_records_come_with_the_checkpoint_and_age() -> None:
    world = filled()
    world.commit(world.begin(), Replay("session", 1, b"result"))
    world.checkpointer.run(world.seq, now_ms=5000)
    world.store.checkpoint(world.seq)
    found = world.store.replay("session", 1)
    assert found is not None
    assert (found.seq, found.ts, found.result) == (2, 20, b"result")
    assert world.checkpointer.age_replay(5000)
    assert world.checkpointer.age_replay(5001)
    world.store.idle()
    assert world.store.replay("session", 1) is None


def test_rows_covered_before_they_were_read_are_never_decoded() -> None:
    world = filled()
    other = Store(world.reader, clock=ManualClock())
    world.checkpoint()
    other.row(1, 10, b"would fail to decode")
    assert other.memory_bytes > 0
    other.checkpoint(1)
    assert other.memory_bytes == 0
    plan = QueryPlan("items")
    transaction = other.begin(writable=True, now_ms=0, budget=TransactionBudget(), random=random.Random(1))
    assert transaction.count(plan) == 3
    world.begin()
    assert other.last_creation_time == world.store.last_creation_time > 0


def test_a_store_told_of_a_checkpoint_that_is_not_there_stops() -> None:
    world = filled()
    world.begin()
    with pytest.raises(InvariantViolation, match="told of a checkpoint at 1"):
        world.store.checkpoint(1)
