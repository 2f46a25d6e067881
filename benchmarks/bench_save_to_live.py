"""How long after a save does the new function answer? `convexpy dev` on a project of 50 modules.

One of the modules imports numpy, if that is installed. Each save changes what one query of another module returns. The
clock starts twice: with the write itself, and with the event that a second watcher (the watchfiles library, as quick as it
gets) has of the same save in the same folder. It stops when the query, asked again and again over one connection, gives
the new answer. Answers meanwhile must be the old or the new one.

    python benchmarks/bench_save_to_live.py [--modules 50] [--saves 20] [--quick] [--json]
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from harness.http_load import Caller, post_request, quantile
from harness.projects import Dev, cli
from harness.report import Report, parser, progress

GOAL_MS = 70.0
BETWEEN_S = 0.5
MODULE = '''"""Module {number}: things of kind {number}."""

from typing import Any

from ._generated.server import MutationCtx, QueryCtx, mutation, query


@query
def version(ctx: QueryCtx) -> int:
    """Return what the last save made of it."""
    return {version}


@query(name="list")
def list_(ctx: QueryCtx, kind: str, limit: int = 20) -> list[dict[str, Any]]:
    """The newest of a kind."""
    return ctx.db.query("things").with_index("by_kind", kind=kind).order("desc").take(limit)


@mutation
def add(ctx: MutationCtx, kind: str, text: str) -> str:
    """Add one."""
    return ctx.db.insert("things", {{"kind": kind, "text": text}})
'''
SCHEMA = '''"""The tables."""

from convexpy import define_schema, define_table, v

schema = define_schema({
    "things": define_table({"kind": v.string(), "text": v.string()}).index("by_kind", ["kind"]),
})
'''


class Events:
    """When the system tells of changes below a folder."""

    def __init__(self, folder: Path) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._times: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._watch, args=(folder,), daemon=True)
        self._thread.start()

    def _watch(self, folder: Path) -> None:
        from watchfiles import watch

        for changes in watch(folder, debounce=20, step=2, stop_event=self._stop, rust_timeout=500):
            now = time.perf_counter()
            with self._lock:
                self._times += [(now, path) for _, path in changes]

    def first_of(self, file: Path, since: float) -> float:
        """Return when the first event of this file after `since` came."""
        with self._lock:
            times = [at for at, path in self._times if at >= since and path == str(file)]
        if not times:
            raise SystemExit("the watcher saw no event of a save")
        return times[0]

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()


def make_project(folder: Path, modules: int) -> Path:
    """Return a project with so many modules."""
    cli("init", str(folder), "--template", "minimal", "--yes", cwd=folder.parent)
    functions = folder / "convex"
    for path in functions.glob("*.py"):
        path.unlink()
    (functions / "schema.py").write_text(SCHEMA)
    for number in range(modules - 1):
        (functions / f"things{number}.py").write_text(MODULE.format(number=number, version=0))
    if find_spec("numpy"):
        heavy = functions / "things0.py"
        heavy.write_text(heavy.read_text().replace("from typing", "import numpy as np\nfrom typing", 1))
    return functions


def save(file: Path, version: int, caller: Caller, port: int, events: Events) -> tuple[float, float, float]:
    """Save, and ask until the new version answers: seconds of write to event, event to answer, write to answer."""
    body = json.dumps({"path": f"{file.stem}:version", "args": {}}).encode()
    request = post_request("/api/query", body)
    old, new = b'"value":%d.0,' % (version - 1), b'"value":%d.0,' % version
    text = MODULE.format(number=int(file.stem.removeprefix("things")), version=version)
    began = time.perf_counter()
    file.write_text(text)
    while True:
        answer = caller.call(request)
        if new in answer:
            break
        if old not in answer:
            raise SystemExit(f"neither the old nor the new answer: {answer!r}")
        time.sleep(0.001)
    live = time.perf_counter()
    time.sleep(0.1)  # the watcher may be later than the answer
    event = events.first_of(file, began)
    return event - began, live - event, live - began


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--modules", type=int, default=50)
    options.add_argument("--saves", type=int, default=20)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.modules, chosen.saves = min(chosen.modules, 10), 2
    rows: list[tuple[float, float, float]] = []
    pushed_ms: list[float] = []
    seen_ms: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "project"
        functions = make_project(folder, chosen.modules)
        with Dev(folder) as dev:
            events = Events(functions)
            caller = Caller(dev.port)
            file = functions / "things7.py"
            time.sleep(1.0)  # code generation and the new watcher
            for version in range(1, chosen.saves + 2):
                began = time.perf_counter()
                row = save(file, version, caller, dev.port, events)
                started, _ = dev.until("roundStarted")
                _, pushed = dev.until("pushed")
                if version > 1:  # the first save fills caches
                    rows.append(row)
                    seen_ms.append((started - began) * 1000)
                    pushed_ms.append(float(pushed.get("ms") or 0))
                time.sleep(BETWEEN_S)
            caller.close()
            events.close()
    progress("done")
    fill(chosen, rows, seen_ms, pushed_ms)


def fill(
    chosen: object, rows: list[tuple[float, float, float]], seen_ms: list[float], pushed_ms: list[float]
) -> None:
    """Print figures and table."""
    result = Report(f"A save, until the new function answers ({chosen.modules} modules)", chosen)  # type: ignore[attr-defined, arg-type]
    columns = [sorted(value * 1000 for value in column) for column in zip(*rows, strict=True)]
    to_event, after_event, whole = columns
    result.ratio("event to answer, median", statistics.median(after_event), GOAL_MS, "less", "ms")
    result.ratio("event to answer, p95", quantile(after_event, 0.95), GOAL_MS, "less", "ms")
    result.ratio(
        "write to answer / write to event, median", statistics.median(whole) / statistics.median(to_event)
    )
    table = [
        ("write to event, of the second watcher", to_event),
        ("event to answer", after_event),
        ("write to answer", whole),
        ("write to `roundStarted` of dev", sorted(seen_ms)),
        ("the push, as dev tells", sorted(pushed_ms)),
    ]
    result.table(
        ["ms", "median", "p95"],
        [
            [name, f"{statistics.median(values):.1f}", f"{quantile(values, 0.95):.1f}"]
            for name, values in table
        ],
    )
    result.show()


if __name__ == "__main__":
    main()
