"""What does one call cost in an executor, and does that grow with the data?

Run: python benchmarks/bench_executor.py [sizes…] [--quick]. One process, the real executor over a data folder in a
temporary directory; no sockets and no commit thread. `noop` and `transfer` (two reads by an index, two
patches) are whole calls; of the others, many are made inside one call and the call's own cost is taken off.
Each is measured over documents that are in memory ("tail": written since the checkpoint) and in the
checkpoint. Prints microseconds of CPU, the minimum over chunks, and in brackets the multiple of a plain
SQLite SELECT by primary key in the same run.
"""

from __future__ import annotations

import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from harness.report import parser

from convexpy.database import Store, encode_entry
from convexpy.deployment.data_folder import Storage, open_folder
from convexpy.limits import Knobs, TransactionBudget
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import Call, CheckpointMoved, Kind, OwnCommit, Result
from convexpy.protocol.system import SystemCall
from convexpy.protocol.system.pushes import ActivateVersion, BeginPush, PushedBy
from convexpy.runtime import SystemClock
from convexpy.sandbox.executor import Executor
from convexpy.sandbox.loader import AppLoader
from convexpy.values import encode_wire

R = TypeVar("R")
SCHEMA = """
from convexpy import define_schema, define_table, v

accounts = define_table({"id": v.number(), "balance": v.number()}).index("by_account_id", ["id"])
schema = define_schema({"accounts": accounts, "others": define_table({"id": v.number(), "balance": v.number()})})
"""
FUNCTIONS = """
from convexpy import mutation, query


@mutation
def seed(ctx, start: int, count: int) -> list[str]:
    return [ctx.db.insert("accounts", {"id": n, "balance": 1000}) for n in range(start, start + count)]


@mutation
def transfer(ctx, amount: int, from_id: int, to_id: int) -> None:
    a = ctx.db.query("accounts").with_index("by_account_id", id=from_id).first()
    b = ctx.db.query("accounts").with_index("by_account_id", id=to_id).first()
    ctx.db.patch(a["_id"], {"balance": a["balance"] - amount})
    ctx.db.patch(b["_id"], {"balance": b["balance"] + amount})


@mutation
def noop(ctx, amount: int, from_id: int, to_id: int) -> None:
    pass


@query
def get(ctx, ids: list[str]) -> None:
    for id in ids:
        ctx.db.get(id)


@query
def first(ctx, numbers: list[int]) -> None:
    for number in numbers:
        ctx.db.query("accounts").with_index("by_account_id", id=number).first()


@query
def collect_50(ctx, numbers: list[int]) -> None:
    for number in numbers:
        accounts = ctx.db.query("accounts")
        accounts.with_index("by_account_id", lambda q: q.gte("id", number).lt("id", number + 50)).collect()


@mutation
def patch(ctx, ids: list[str]) -> None:
    for id in ids:
        ctx.db.patch(id, {"balance": 7})


@mutation
def insert(ctx, numbers: list[int]) -> None:
    for number in numbers:
        ctx.db.insert("others", {"id": number, "balance": 1000})
"""
INSIDE = 200
"""Operations inside one call."""
HOT = 2_000
"""Documents that the calls are about."""
CHUNKS = 40
QUICK_CHUNKS = 2


class Bench:
    """An executor with an app, its data, and what the server does for it: rows and checkpoints."""

    def __init__(self, folder: Path) -> None:
        app = folder / "app"
        app.mkdir()
        (app / "schema.py").write_text(SCHEMA)
        (app / "bank.py").write_text(FUNCTIONS)
        loaded = AppLoader(app).load()
        self._storage = open_folder(folder / "data", SystemClock())
        self._checkpointer = self._storage.checkpointer()
        self._calls = 0
        self._writes: list[bytes] = []
        self._newest = 0.0
        self._results: list[Any] = []
        store = _store(self._storage)
        self._seq = store.seq
        unlimited = Knobs(transaction=TransactionBudget(documents_read=10**9, database_queries=10**9))
        settings = ExecutorSettings(
            version=1, folder=str(app), data_address=str(folder / "data"), knobs=unlimited
        )
        self._executor = Executor(loaded, store, settings, self._results.append)
        schema = "" if loaded.schema is None else msgspec.json.encode(loaded.schema.describe()).decode()
        building = self._system(BeginPush(schema, pending=False))
        self._system(
            ActivateVersion(
                version=1,
                config={},
                schema=schema,
                ready=[index.number for index in building],
                modules=[],
                crons=[],
                note=PushedBy(pushed_at=0.0),
                variables=[],
                sources=[],
                manifest="",
                kept=[],
            )
        )
        self.ids: list[str] = []

    def _system(self, call: SystemCall[R]) -> R:
        return call.decode_result(self.call("system", call.path, call.encode()).value)

    def call(self, kind: Kind, path: str, args: bytes) -> Result:
        """Run one call to its end."""
        self._calls += 1
        self._executor.handle(Call(self._calls, kind, path, args, f"r{self._calls}", int(time.time() * 1000)))
        result: Result = self._results.pop()
        if result.failure is not None:
            raise SystemExit(result.failure.detail)
        if result.writes:
            self._writes.append(result.writes)
            self._newest = max(self._newest, result.max_creation_time)
        return result

    def commit(self) -> None:
        """Make what was written durable, as one row."""
        if self._writes:
            self._seq += 1
            entry = encode_entry(self._writes, max_creation_time=self._newest)
            self._writes.clear()
            self._storage.log.append(self._seq, self._seq, entry)
            self._checkpointer.row(self._seq, self._seq, entry)
            self._executor.handle(OwnCommit(self._seq, self._seq, self._calls))

    def checkpoint(self) -> float:
        """Fold all rows into the checkpoint; return the seconds of CPU."""
        self.commit()
        start = time.process_time()
        self._checkpointer.run(self._seq)
        used = time.process_time() - start
        self._executor.handle(CheckpointMoved(self._seq))
        return used

    def seed(self, count: int) -> None:
        """Insert accounts."""
        for start in range(0, count, 5_000):
            args = b'{"start":%d,"count":%d}' % (start, min(5_000, count - start))
            self.ids += msgspec.json.decode(self.call("mutation", "bank:seed", args).value)
            self.commit()

    def patch_all(self) -> None:
        """Change every account."""
        for start in range(0, len(self.ids), 5_000):
            self.call("mutation", "bank:patch", encode_wire({"ids": self.ids[start : start + 5_000]}))
            self.commit()

    def close(self) -> None:
        """Release the folder."""
        self._checkpointer.close()
        self._storage.close()


def _store(storage: Storage) -> Store:
    store = Store(storage.reader(), clock=SystemClock())
    for row in storage.recovered.rows:
        store.row(row.seq, row.ts, row.entry)
    return store


def best(run: Callable[[], int], chunks: int) -> float:
    """Return the microseconds of CPU per unit; `run` returns how many units it did."""
    lowest = 1e9
    gc.collect()
    for _ in range(chunks):
        start = time.process_time()
        units = run()
        lowest = min(lowest, (time.process_time() - start) / units)
    return lowest * 1e6


def measure(bench: Bench, size: int, chunks: int) -> dict[str, float]:
    """Return the cost of each operation with the data where they are."""
    chooser = random.Random(1)
    hot = chooser.sample(range(size), min(HOT, size))
    starts = [number for number in hot if number + 50 <= size]

    def calls(path: str) -> Callable[[], int]:
        def run() -> int:
            for _ in range(50):
                a, b = chooser.sample(hot, 2)
                bench.call("mutation", path, b'{"amount":1,"from_id":%d,"to_id":%d}' % (a, b))
            bench.commit()
            return 50

        return run

    def inside(kind: Kind, path: str, name: str, members: list[Any]) -> Callable[[], int]:
        def run() -> int:
            chosen = chooser.choices(members, k=INSIDE)
            bench.call(kind, path, encode_wire({name: chosen}))
            bench.commit()
            return INSIDE

        return run

    def of_call(kind: Kind, path: str, name: str, members: list[Any]) -> float:
        run = inside(kind, path, name, members)
        for _ in range(3 * len(hot) // INSIDE + 1):
            run()  # what was never read comes from the file
        return best(run, chunks)

    ids = [bench.ids[number] for number in hot]
    return {
        "get": of_call("query", "bank:get", "ids", ids),
        "first": of_call("query", "bank:first", "numbers", hot),
        "collect 50": of_call("query", "bank:collect_50", "numbers", starts),
        "noop": best(calls("bank:noop"), chunks),
        "transfer": best(calls("bank:transfer"), chunks),
        "patch": of_call("mutation", "bank:patch", "ids", ids),
        "insert": of_call("mutation", "bank:insert", "numbers", hot),
    }


def select_cost(size: int, chunks: int) -> float:
    """Return the microseconds of a SELECT by primary key."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, document TEXT)")
    database.executemany(
        "INSERT INTO t VALUES (?, ?)", [(n, f'{{"id":{n},"balance":1000}}') for n in range(size)]
    )
    chooser = random.Random(1)

    def run() -> int:
        for number in chooser.choices(range(size), k=2_000):
            database.execute("SELECT document FROM t WHERE id = ?", (number,)).fetchone()
        return 2_000

    return best(run, chunks)


def call_cost(chunks: int) -> float:
    """Return the microseconds of a call of a Python function with one argument."""

    def function(argument: int) -> int:
        return argument

    def run() -> int:
        for number in range(20_000):
            function(number)
        return 20_000

    return best(run, chunks)


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument(
        "sizes", nargs="*", type=int, help="documents in the table; 1000 and 100000 by default"
    )
    chosen = options.parse_args()
    sizes, chunks = (
        chosen.sizes or ([200] if chosen.quick else [1_000, 100_000]),
        QUICK_CHUNKS if chosen.quick else CHUNKS,
    )
    select = select_cost(1_000 if chosen.quick else 100_000, chunks)
    print(
        f"SQLite SELECT by primary key {select:.2f} µs, call of a Python function {call_cost(chunks):.3f} µs"
    )
    columns: dict[str, dict[str, float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder))
            bench.seed(size)
            added = bench.checkpoint()
            bench.patch_all()
            changed = bench.checkpoint()
            print(
                f"checkpoint of {size:,} documents: "
                f"{added / size * 1e6:.1f} µs for a new one, {changed / size * 1e6:.1f} µs for a changed one"
            )
            columns[f"{size:,} in checkpoint"] = measure(bench, size, chunks)
            bench.patch_all()
            columns[f"{size:,} in tail"] = measure(bench, size, chunks)
            bench.close()
    print(f"{'':12}" + "".join(f"{title:>26}" for title in columns))
    for name in next(iter(columns.values())):
        costs = [column[name] for column in columns.values()]
        print(f"{name:12}" + "".join(f"{cost:14.1f} µs ({cost / select:5.1f}x)" for cost in costs))


if __name__ == "__main__":
    main()
