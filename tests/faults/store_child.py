"""The process that the crash tests kill: commits, checkpoints, builds an index; prints what it acknowledged.

Each transaction `i` inserts two documents and updates one that counts; an odd one also deletes a document of its
predecessor. Usage: store_child.py FOLDER TRANSACTIONS.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from convexpy.database import (
    Checkpointer,
    Group,
    GroupCommitter,
    Replay,
    Store,
    Transaction,
    new_index_document,
    recover,
)
from convexpy.functions._host import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader
from convexpy.runtime import SystemClock

GROUP = 3


class Process:
    """A server, a mutation executor and a checkpointer in one."""

    def __init__(self, folder: Path) -> None:
        clock = SystemClock()
        self.data = DataFolder(folder, allow_network_file_system=True)
        recovered = recover(self.data.log, self.data.checkpoint, clock=clock)
        self.checkpointer = Checkpointer(self.data.checkpoint)
        self.store = Store(open_checkpoint_reader(folder), clock=clock)
        for row in recovered.rows:
            self.checkpointer.row(*row)
            self.store.row(*row)
        self.committer = GroupCommitter(
            self.data.log,
            self,
            seq=recovered.seq,
            ts=recovered.ts,
            max_creation_time=recovered.max_creation_time,
            clock=clock,
            call_soon=lambda callback, *arguments: callback(*arguments),
        )
        self.seq = recovered.seq
        self.random = random.Random()
        self.call = 0

    def begin(self) -> Transaction:
        now_ms = self.store.clock.now_ns() // 1_000_000
        return self.store.begin(writable=True, now_ms=now_ms, budget=TransactionBudget(), random=self.random)

    def finish(self, transaction: Transaction, request: int) -> None:
        self.call += 1
        write_set = transaction.write_set(f"call{self.call}", "f", Replay("session", request, b"done"))
        assert write_set is not None
        self.store.accept(self.call, write_set)
        self.committer.submit(self.call, write_set.encoded, write_set.max_creation_time)

    # What the committer tells.

    def committed(self, group: Group) -> None:
        assert group.row is not None
        self.seq = group.row.seq
        self.store.own_commit(group.row.seq, group.row.ts, group.calls[-1])
        self.checkpointer.row(*group.row)
        count = self.begin().first(QueryPlan("counts"))
        if count is not None:
            print(count["last"], flush=True)

    def full(self, calls: list[int], error: Exception) -> None:
        raise error

    def available(self) -> None:
        pass

    def unknown(self, error: BaseException) -> None:
        sys.exit(3)

    # The work

    def write(self, number: int) -> None:
        transaction = self.begin()
        for part in range(2):
            transaction.insert("parts", {"number": number, "part": part, "text": "x" * 200})
        if number % 2:
            first = transaction.first(QueryPlan("parts", "by_number", (("number", number - 1),)))
            assert first is not None
            transaction.delete(first["_id"])
        count = transaction.first(QueryPlan("counts"))
        if count is None:
            transaction.insert("counts", {"last": number})
        else:
            assert count["last"] == number - 1
            transaction.patch(count["_id"], None, {"last": number})
        self.finish(transaction, number)

    def add_index(self, name: str, state: str) -> int:
        transaction = self.begin()
        if "parts" not in transaction.catalog.by_name:
            transaction.delete(transaction.insert("parts", {}))
        table = transaction.catalog.by_name["parts"]
        known = table.by_name.get(name)
        if known is None:
            field = name.removeprefix("by_")
            document = new_index_document(transaction.catalog, table.tablet, name, [field], state=state)
            transaction.system_insert("_index", document)
            self.finish(transaction, 10**6)
            self.committer.run_once()
        return self.store.catalog.by_name["parts"].by_name[name].number

    def checkpoint(self) -> None:
        self.checkpointer.run(self.seq)
        self.store.checkpoint(self.seq)

    def build(self, index: int) -> None:
        self.checkpoint()
        tablet = self.store.catalog.by_name["parts"].tablet
        walk = self.checkpointer.walk(tablet, [index], since=self.seq)
        while not walk.step(4):
            pass


def main() -> None:
    process = Process(Path(sys.argv[1]))
    process.add_index("by_number", "ready")
    count = process.begin().first(QueryPlan("counts"))
    start = count["last"] + 1 if count is not None else 0
    for number in range(start, start + int(sys.argv[2])):
        process.write(number)
        if number % GROUP == GROUP - 1:
            process.committer.run_once()
        if number % 20 == 19:
            process.checkpoint()
        if number == start + 30:
            process.committer.run_once()
            process.build(process.add_index("by_part", "building"))
    process.committer.run_once()
    print("finished", flush=True)


if __name__ == "__main__":
    main()
