"""Run the benchmarks, and write the page of figures: docs/performance.md, and the lines of the README.

Each figure is a ratio to a peer that was measured in the same run, or names its unit. All together take a quarter of an
hour. What was found is kept in benchmarks/figures.json with the load of the machine at the time, after each benchmark: one that
fails says so in its rows, and the others go on. `--only` runs some, `--missing` those without figures; `--quick` runs the
short forms and writes nothing.

    python benchmarks/report.py [--only NAME …] [--missing] [--quick] [--list] [--page]
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from harness.report import parser, progress
from harness.servers import BENCHMARKS, PEER_MISSING, ROOT

FIGURES = BENCHMARKS / "figures.json"
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: python benchmarks/report.py -->\n", "<!-- end of figures -->\n"
LAST_CHANGE = ("-C", str(ROOT), "log", "-1", "--format=%h", "--", "src", "cli")
KNOWN = BENCHMARKS / "known.toml"
SECONDS_MAX = 300
SECONDS_TO_STOP = 20


@dataclass(frozen=True)
class Row:
    """One row of the page. `figure` is a pattern of the names that the benchmark prints; the worst of them counts."""

    what: str
    bench: str
    figure: str
    must: float
    reach: float
    better: Literal["more", "less"] = "more"
    unit: str = "x"
    front: bool = False
    """Whether the README shows it."""

    def value(self, result: dict[str, Any]) -> float | None:
        """Return the figure of this row, or None if the benchmark had none: it failed, or its peer is not installed."""
        figures: dict[str, float] = result.get("figures", {})
        found = [value for name, value in figures.items() if re.fullmatch(self.figure, name)]
        if not found:
            return None
        return min(found) if self.better == "more" else max(found)

    def is_reached(self, value: float) -> bool:
        """Return whether a figure is as good as it must be."""
        return value >= self.must if self.better == "more" else value <= self.must

    @property
    def sign(self) -> str:
        """How a figure compares that is good enough."""
        return "≥" if self.better == "more" else "≤"

    def by_how_much(self, value: float) -> str:
        """Say how far a figure is from its bound."""
        share = (self.must - value) / self.must if self.better == "more" else (value - self.must) / self.must
        return f"{share:.0%} {'below' if self.better == 'more' else 'above'} {self.text(self.must)}"

    def text(self, value: float) -> str:
        """Return a figure with its unit."""
        digits = 2 if value < 10 and self.unit == "x" else 1 if value < 100 else 0
        return f"{value:.{digits}f}{'' if self.unit == 'x' else ' '}{self.unit}"


def transfers(clients: int, must: float, reach: float, *, front: bool = False) -> tuple[Row, Row]:
    """Return the rows of transfers over HTTP with so many clients."""
    cpu_must, cpu_reach = {64: (0.7, 0.4), 8: (1.0, 0.6), 1: (2.0, 1.2)}[clients]
    who = f"{clients} client{'s' if clients > 1 else ''}"
    return (
        Row(
            f"transfers a second over HTTP, {who}, against node + better-sqlite3 (WAL, FULL)", "transfers",
            rf"transfers/s vs node\+SQLite, {clients} clients, .*", must, reach, front=front,
        ),
        Row(
            f"CPU of a transfer, {who}, against the same", "transfers",
            rf"CPU per transfer vs node\+SQLite, {clients} clients, .*", cpu_must, cpu_reach, "less",
        ),
    )  # fmt: skip


def sockets(count: int, must: float, reach: float, *, front: bool = False) -> Row:
    """Return the row of mutations over so many sockets."""
    what = f"mutations a second over the sync protocol, {count} sockets, against `ws` + better-sqlite3"
    return Row(
        what, "sync_mutations", rf"transfers/s vs ws\+SQLite, {count} sockets", must, reach, front=front
    )


FAN_OUT = "vs node ws broadcast of the same bytes"
ROWS = (
    *transfers(64, 3, 5, front=True),
    *transfers(8, 1.5, 2.5),
    *transfers(1, 0.55, 0.8),
    sockets(8, 1.5, 2.5),
    sockets(64, 3, 5, front=True),
    sockets(512, 3, 5),
    Row(
        "one mutation until 1,000 subscribers have it, p95, against a `ws` broadcast of the same bytes, 0.5 KB", "fan_out",
        f"p95 {FAN_OUT}, one query, small", 1.2, 1.0, "less", front=True,
    ),
    Row("the same, 10 KB", "fan_out", f"p95 {FAN_OUT}, one query, large", 1.2, 1.0, "less"),
    Row("CPU of both, the worse", "fan_out", f"CPU {FAN_OUT}, one query, .*", 1.3, 1.0, "less"),
    Row("1,000 different queries, p95, against the same", "fan_out", f"p95 {FAN_OUT}, a query each", 3, 1.5, "less"),
    Row("memory of an idle socket (PSS)", "fan_out", "memory of an idle socket", 12, 12, "less", "KiB"),
    Row("memory of an idle subscription (PSS)", "fan_out", "memory of an idle subscription", 1.8, 1.8, "less", "KiB"),
    Row(
        "queries that read one document, over HTTP, 32 clients, against the bare answer of uvicorn", "queries",
        "read: queries/s vs bare uvicorn", 0.3, 0.45,
    ),
    Row("the same when nothing that they read has changed", "queries", "known: queries/s vs bare uvicorn", 0.7, 0.9),
    Row("queries that compute, on two cores against one", "query_cores", r"queries/s on 2 cores / on 1", 1.7, 1.9),
    Row("100,000 single inserts by 64 clients", "inserts", "time", 12, 6, "less", "s"),
    Row("memory after them, more than before (PSS)", "inserts", "memory after - before .*", 150, 80, "less", "MiB"),
    Row(
        "p99 of mutations beside one of 500 ms a second that reads nothing of what they write, more than alone", "slow_mutation",
        "p99 beside one that (sleeps|computes), more than alone", 20, 5, "less", "ms",
    ),
    Row("latency of a mutation beside 100,000 idle subscriptions, against none", "commit_latency", "beside .*", 1.03, 1.02, "less"),
    Row("the same among 1,000,000 documents, against 1,000", "commit_latency", "among .*", 1.08, 1.05, "less"),
    Row("start after kill -9 with 1,000,000 documents, until ready", "start", "ready, .*", 1.5, 0.8, "less", "s"),
    Row("the first call after that", "start", "first answer after it, .*", 1.5, 0.8, "less", "s"),
    Row(
        "save, from the file event to the first new answer, 50 modules, median", "save_to_live",
        "event to answer, median", 70, 40, "less", "ms", front=True,
    ),
    Row("wake-ups of an idle `convexpy dev`", "idle", "wake-ups of all threads", 10, 2, "less", "/s"),
    Row("memory of an idle `convexpy dev` (PSS of all processes)", "idle", r"memory of all processes \(PSS\)", 90, 70, "less", "MiB", front=True),
)  # fmt: skip
BENCHES = tuple(dict.fromkeys(row.bench for row in ROWS))
OPTIONS = {
    "transfers": ("--accounts", "50000", "--seconds", "2.5"),
    "sync_mutations": ("--accounts", "50000", "--seconds", "2.5"),
    "queries": ("--accounts", "50000", "--seconds", "2"),
    "query_cores": ("--seconds", "2"),
    "slow_mutation": ("--seconds", "8", "--rounds", "3"),
    "commit_latency": ("--rounds", "20"),
    "start": ("--rounds", "3"),
}
"""How benchmarks are run here, so that all take a quarter of an hour."""
HEAD = """# Performance

What `python benchmarks/report.py` found. Ratios compare with a peer in the same run: a program in `benchmarks/peers` that does the
same work, written as its author would write it. Other figures name their unit, and are of the machine that they were measured on.
*must* is the bound below which work goes on, *reach* what it aims for.

Figures depend on what else the machine does. The load is its average over a minute at the end of the benchmark, which itself makes one
to two of it. At a load above the number of cores, times, and rows that need all cores, are worse than on a quiet machine.
A slow mutation that has read what others write all the time is overtaken three times; then it runs before them, and they wait for as long
as it takes. Figures in bold miss their bound.

"""


class Failed(Exception):
    """A benchmark did not come to its end."""


def run(bench: str, *, quick: bool) -> dict[str, Any]:
    """Run a benchmark; return what it found, with when and where."""
    options = ("--quick",) if quick else OPTIONS.get(bench, ())
    command = [sys.executable, str(BENCHMARKS / f"bench_{bench}.py"), "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {SECONDS_MAX} s") from None
    finally:
        _stop(process)
    if process.returncode:
        raise Failed(f"ended with status {process.returncode}")
    try:
        return measured(json.loads(output))
    except (ValueError, KeyError, TypeError):
        raise Failed("printed no figures") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a benchmark that still runs; its servers end with it, and its folders are removed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measured(document: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a benchmark's JSON, with when and on what they were measured."""
    return {
        **conditions(),
        "figures": {ratio["name"]: ratio["value"] for ratio in document["ratios"]},
        "table": document["table"],
        "notes": document["notes"],
    }


def conditions() -> dict[str, Any]:
    """Return when and on what something is measured."""
    from convexpy._version import __version__

    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "node": _output("node", "--version").removeprefix("v"),
        "convexpy": f"{__version__} ({_output('git', *LAST_CHANGE)})",
    }


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"


def rows_of(bench: str) -> list[Row]:
    """Return the rows of the page that a benchmark fills."""
    return [row for row in ROWS if row.bench == bench]


def page(found: dict[str, dict[str, Any]]) -> str:
    """Return the page."""
    return "".join([HEAD, *_table(found), *_missed(found), *_commands(found)])


def _table(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| what | found | must | reach | load |\n| --- | --- | --- | --- | --- |\n"
    for row in ROWS:
        result = found.get(row.bench, {})
        value = row.value(result)
        if value is None:
            shown = f"**failed**: {result['failed']}" if "failed" in result else "not measured"
        else:
            shown = row.text(value) if row.is_reached(value) else f"**{row.text(value)}**"
        bounds = f"{row.sign} {row.text(row.must)} | {row.text(row.reach)}"
        yield f"| {row.what} | {shown} | {bounds} | {result.get('load', '')} |\n"


def _missed(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Tell of each row that misses its bound by how much, and of its benchmark what is known."""
    known = tomllib.loads(KNOWN.read_text())
    begun = False
    for bench in BENCHES:
        result = found.get(bench, {})
        values = [(row, row.value(result)) for row in rows_of(bench)]
        missed = [(row, value) for row, value in values if value is not None and not row.is_reached(value)]
        if not missed:
            continue
        if not begun:
            yield "\n## What misses its bound\n"
            begun = True
        yield f"\n### bench_{bench}.py\n\n"
        for row, value in missed:
            yield f"- {row.what}: {row.text(value)}, {row.by_how_much(value)}.\n"
        about = known.get(bench, {})
        yield f"\nWhere the rest goes. {about.get('where', 'Not known.').strip()}\n"
        if tried := about.get("tried"):
            yield "\nTried:\n\n"
            yield from (f"- {line}\n" for line in tried)
        yield from _absolute(result)


def _absolute(result: dict[str, Any]) -> Iterator[str]:
    """Show the figures of the machine that these rows were measured on."""
    columns, rows = result["table"]["columns"], result["table"]["rows"]
    yield "\nOf that machine:\n\n"
    yield f"| {' | '.join(name or ' ' for name in columns)} |\n|{' --- |' * len(columns)}\n"
    yield from (f"| {' | '.join(cells)} |\n" for cells in rows)
    if result["notes"]:
        yield "\n"
        yield from (f"- {note}\n" for note in result["notes"])


def _commands(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    columns = ("date", "cores", "python", "node", "convexpy")
    yield f"\n## Commands\n\n| command | {' | '.join(columns)} |\n| --- {'| --- ' * len(columns)}|\n"
    for bench in BENCHES:
        cells = " | ".join(str(found.get(bench, {}).get(name, "")) for name in columns)
        command = " ".join(["python", f"benchmarks/bench_{bench}.py", *OPTIONS.get(bench, ())])
        yield f"| `{command}` | {cells} |\n"


def front(found: dict[str, dict[str, Any]]) -> str:
    """Return the lines of the README."""
    lines = ["| what | found |\n| --- | --- |\n"]
    for row in ROWS:
        value = row.value(found.get(row.bench, {})) if row.front else None
        if value is not None:
            lines.append(f"| {row.what} | {row.text(value)} |\n")
    return "".join(lines)


def write(found: dict[str, dict[str, Any]]) -> None:
    """Write the page, and the lines of the README between their marks."""
    FIGURES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(found))
    before, _, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if end:
        README.write_text(f"{before}{BEGIN}{front(found)}{END}{after}")


def main() -> None:
    """Run what is asked for, and write the page."""
    options = parser(__doc__)
    options.add_argument(
        "--only", action="append", choices=BENCHES, metavar="NAME", help=f"one of: {', '.join(BENCHES)}"
    )
    options.add_argument("--missing", action="store_true", help="run what has no figures, or failed")
    options.add_argument("--list", action="store_true", help="print the rows by name, run nothing")
    options.add_argument("--page", action="store_true", help="write the page again, run nothing")
    chosen = options.parse_args()
    if chosen.list:
        print("\n".join(f"{row.bench:<16} {row.what}" for row in ROWS))
        return
    found: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if chosen.page:
        write(found)
        return
    wanted = [
        bench
        for bench in BENCHES
        if (not chosen.only or bench in chosen.only)
        and not (chosen.missing and "figures" in found.get(bench, {}))
    ]
    failed = 0
    for number, bench in enumerate(wanted, 1):
        progress(f"{number} of {len(wanted)}: {bench}")
        began = time.monotonic()
        try:
            result = run(bench, quick=chosen.quick)
        except Failed as error:
            failed += 1
            result = {**conditions(), "failed": str(error)}
        for row in rows_of(bench):
            value = row.value(result)
            print(f"{row.what}: {result.get('failed', PEER_MISSING) if value is None else row.text(value)}")
        print(f"  {bench}: {time.monotonic() - began:.0f} s, load {result['load']}", flush=True)
        if not chosen.quick:
            found[bench] = result
            write(found)
    if failed:
        raise SystemExit(f"{failed} of {len(wanted)} benchmarks failed")


if __name__ == "__main__":
    main()
