"""A CSV file with many rows: into a deployment and out of it, in memory that does not grow with it (a million: CONVEXPY_TEST_ROWS)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import ServerProcess, wait_for
from support.transfers import system

ROWS = int(os.environ.get("CONVEXPY_TEST_ROWS", "200000"))
SERVER_MIB, EXECUTOR_MIB, CHILD_MIB, COMMAND_MIB = 300, 250, 150, 80
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "people": define_table({"name": v.string(), "age": v.number(), "city": v.string()}).index("by_age", ["age"]),
})
"""


class Peaks:
    """The largest resident size of every process below this one, by what it is."""

    def __init__(self) -> None:
        self.mib: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            parents: dict[int, int] = {}
            for path in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    parents[int(path.name)] = int(
                        path.joinpath("stat").read_text().rpartition(")")[2].split()[1]
                    )
            mine = {os.getpid()}
            for _ in range(5):
                mine |= {child for child, parent in parents.items() if parent in mine}
            for pid in mine - {os.getpid()}:
                with contextlib.suppress(OSError, IndexError):
                    self._note(Path("/proc") / str(pid))

    def _note(self, process: Path) -> None:
        words = process.joinpath("cmdline").read_text().split("\0")
        name = next((word for word in words if word.startswith("convexpy")), "")
        peak = int(process.joinpath("status").read_text().split("VmHWM:")[1].split()[0]) // 1024
        self.mib[name] = max(peak, self.mib.get(name, 0))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_a_million_rows_in_bounded_memory(start_server: Callable[..., ServerProcess], project: Path) -> None:
    server = start_server(interpreter=True)
    server.push_ok({"schema.py": SCHEMA})
    with (project / "people.csv").open("w") as file:
        file.write("name,age,city\n")
        file.writelines(f"person number {n},{n % 90},city {n % 1000}\n" for n in range(ROWS))
    env = {**os.environ, "CONVEXPY_URL": server.url, "CONVEXPY_DEPLOY_KEY": server.admin_key}

    def run(*arguments: str) -> dict[str, object]:
        command = [sys.executable, "-m", "convexpy_cli", *arguments, "--json"]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, timeout=800, check=False)
        assert done.returncode == 0, done.stderr.decode()
        result: dict[str, object] = json.loads(done.stdout)
        return result

    with Peaks() as peaks:
        imported = run("import", "--table", "people", "people.csv")
        assert imported["documents"] == ROWS
        exported = run("export", "--path", "out.zip")
        assert exported["tables"] == {"people": ROWS}
    opts = {"numItems": 3, "cursor": None}
    page = system(server, "_system/cli/tableData", table="people", order="desc", paginationOpts=opts)["page"]
    assert [person["name"] for person in page] == [f"person number {ROWS - n}" for n in (1, 2, 3)]
    wait_for(lambda: not list((server.data / "transfers" / "imports").iterdir()))
    print(peaks.mib)
    assert peaks.mib["convexpy.serve"] < SERVER_MIB
    assert peaks.mib["convexpy.sandbox.forkserver"] < EXECUTOR_MIB
    assert peaks.mib["convexpy.sandbox.transfers.import_worker"] < CHILD_MIB
    assert peaks.mib["convexpy.sandbox.transfers.export_worker"] < CHILD_MIB
    assert peaks.mib["convexpy_cli"] < COMMAND_MIB
