"""Every benchmark runs to its end in its shortest form, and prints the figures that docs/performance.md shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


sys.path.insert(0, str(ROOT / "benchmarks"))  # where `report` and its harness are


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "benchmarks").glob("bench_*.py")),
    ids=lambda path: path.stem.removeprefix("bench_"),
)
def test_a_benchmark_prints_its_figures(path: Path) -> None:
    import report

    rows = report.rows_of(path.stem.removeprefix("bench_"))
    ended = subprocess.run(
        [sys.executable, str(path), "--quick", *(["--json"] if rows else [])],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    if not rows:
        lines = [line for line in ended.stdout.splitlines() if len(re.findall(r"\d", line)) >= 2]
        assert len(lines) >= 3, ended.stdout
        return
    figures = {ratio["name"]: ratio["value"] for ratio in json.loads(ended.stdout)["ratios"]}
    result = {"figures": figures}
    without = {row.what for row in rows if row.value(result) is None and " sockets" not in row.what}
    # Short forms have fewer sockets; ratios to a peer need its packages.
    assert not without or "without the peer" in ended.stderr, f"{without}: {figures}"


def test_a_benchmark_that_fails_says_so_in_its_rows() -> None:
    import report

    found = {"idle": {**report.conditions(), "failed": "took more than 300 s"}}
    page = report.page(found)
    assert page.count("| **failed**: took more than 300 s |") == len(report.rows_of("idle"))
    assert "## What misses its bound" not in page


def test_what_is_known_is_of_benchmarks_that_there_are() -> None:
    import report

    assert set(tomllib.loads(report.KNOWN.read_text())) == set(report.BENCHES)
    assert sum(row.front for row in report.ROWS) <= 5


def test_the_page_is_what_the_figures_say() -> None:
    import report

    found = json.loads(report.FIGURES.read_text())
    assert report.PAGE.read_text() == report.page(found), "run: python benchmarks/report.py --page"
    assert report.front(found) in report.README.read_text(), "run: python benchmarks/report.py --page"
