"""The dashboard in front of a table of a million documents: the first page of it in Chromium, and the memory it takes.

A table of a million documents and one of a thousand are in one deployment; Chromium opens the Data page of each in
turn, in a session that was let in before. The time is from the start of the navigation to the first row on the screen.
Then the large table is paged, sorted by an index and filtered. Memory is PSS of the dashboard's process at the end.

    python benchmarks/bench_dashboard.py [--documents 1000000] [--rounds 5] [--quick] [--json]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.processes import pss_bytes, settle
from harness.report import Report, parser, progress
from harness.servers import BENCHMARKS, Server, environment

MIB = 1024 * 1024
GOAL_S = 1.0
GOAL_MIB = 200.0
SMALL = 1000
SLICE = 7000
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROWS = ".grid tbody tr"


@contextmanager
def dashboard(server: Server, folder: Path) -> Generator[tuple[int, str]]:
    """Run the dashboard; give its process id and its address with the token."""
    command = [
        sys.executable,
        "-m",
        "convexpy_cli",
        "dashboard",
        "--no-open",
        "--json",
        "--url",
        f"http://127.0.0.1:{server.port}",
    ]
    with subprocess.Popen(
        [*command, "--admin-key", "-"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, **environment()},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(server.admin_key + "\n")
        process.stdin.close()
        try:
            yield process.pid, str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def seconds_to(page: Any, act: Callable[[], object], fact: str) -> float:
    """Return how long it takes from an act until something is true on the page."""
    began = time.monotonic()
    act()
    page.wait_for_function(fact, polling=10)
    return time.monotonic() - began


def browse(page: Any, address: str, rounds: int) -> dict[str, list[float]]:
    """Open tables, page, sort and filter; return the seconds of each."""
    there = f"document.querySelectorAll({ROWS!r}).length > 0"
    found: dict[str, list[float]] = {name: [] for name in ("large", "small", "page", "sort", "filter")}
    for _ in range(rounds):
        for name in ("small", "large"):
            found[name].append(
                seconds_to(
                    page, lambda name=name: page.goto(f"{address}/data/{name}", wait_until="commit"), there
                )
            )
        first = "document.querySelector('.pager [role=status]').innerText"
        found["page"].append(
            seconds_to(
                page, page.get_by_role("button", name="Next page").click, f"{first}.startsWith('Page 2')"
            )
        )
        column = page.locator("th", has_text="number").get_by_role("button")
        found["sort"].append(
            seconds_to(
                page,
                column.click,
                f"{first}.startsWith('Page 1 ') && document.querySelector({ROWS!r}).innerText.includes('item 0')",
            )
        )
        page.get_by_label("Condition").fill("number > 100 and number < 104")
        found["filter"].append(
            seconds_to(
                page,
                lambda: page.get_by_label("Condition").press("Enter"),
                f"document.querySelectorAll({ROWS!r}).length === 3",
            )
        )
    return found


def seed(server: Server, table: str, count: int) -> None:
    """Insert documents."""
    for start in range(0, count, SLICE):
        server.call("mutation", "items:seed", table=table, start=start, count=min(SLICE, count - start))


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    options = parser(__doc__)
    options.add_argument("--documents", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.documents, chosen.rounds = 20_000, 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with Server(folder / "data") as server, sync_playwright() as driver:
            server.push(BENCHMARKS / "apps" / "items")
            for table, count in (("small", SMALL), ("large", chosen.documents)):
                progress(f"inserting {count:,} documents")
                seed(server, table, count)
            progress("waiting until the server is quiet")
            settle(server.pid, within_s=60.0)
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            with dashboard(server, folder) as (pid, url):
                page = browser.new_page()
                page.set_default_timeout(120_000)
                page.goto(url)
                page.wait_for_selector("main h1")
                before = pss_bytes([pid])
                progress("browsing")
                found = browse(page, url.partition("/?")[0], chosen.rounds)
                memory = pss_bytes([pid])
            browser.close()
    middle = {name: statistics.median(times) for name, times in found.items()}
    result = Report(f"The dashboard, and a table of {chosen.documents:,} documents", chosen)
    result.ratio("first page of the table", middle["large"], GOAL_S, "less", "s")
    result.ratio("the same / of a table of 1,000 documents", middle["large"] / middle["small"], None, "less")
    result.ratio("memory of the dashboard (PSS)", memory / MIB, GOAL_MIB, "less", "MiB")
    rows = [
        [name, f"{middle[name] / middle['small']:.2f}", f"{max(times) / middle['small']:.2f}"]
        for name, times in found.items()
    ]
    result.table(["what", "median / first page of 1,000", "longest / the same"], rows)
    result.note(f"memory with one page open, before the tables: {before / MIB:.0f} MiB")
    result.show()


if __name__ == "__main__":
    main()
