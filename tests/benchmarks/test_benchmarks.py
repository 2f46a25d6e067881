"""Every benchmark runs to its end in its shortest form, and prints its figures."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "benchmarks").glob("bench_*.py")),
    ids=lambda path: path.stem.removeprefix("bench_"),
)
def test_a_benchmark_prints_its_figures(path: object) -> None:
    ended = subprocess.run(
        [sys.executable, str(path), "--quick"], capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    rows = [line for line in ended.stdout.splitlines() if len(re.findall(r"\d", line)) >= 2]
    assert len(rows) >= 3, ended.stdout
