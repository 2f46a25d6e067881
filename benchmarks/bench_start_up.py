"""Start-up of the command line, as ratios to the official command line measured in the same rounds.

Classes of commands, each with a limit:

A  answered by the root: --version, --help, a command that does not exist; at most half of `node convex --help`
B  a command up to its own first line, and its help; the same limit
C  a command with one request to a deployment on this machine, as JSON and as a table; at most half of
   `node convex env list` with the same deployment

Where the official command line is not installed (tests/e2e/clients), only times are shown, with `python -c pass` and a typer
application with one command beside them. A round runs every case once, in random order; a figure is the median.

    python benchmarks/bench_start_up.py [--rounds 15] [--quick] [--json]
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.report import Report, parser, progress
from harness.servers import ROOT, Server, environment

OFFICIAL = ROOT / "tests" / "e2e" / "clients" / "node_modules" / "convex" / "bin" / "main.js"
MINIMAL = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def main(json: bool = typer.Option(False, "--json")): print("{}")
app()
"""
# As the installed script does it.
ROOT_CODE = "from convexpy_cli.main import main; main()"
FIRST_LINE = """
import sys
from convexpy_cli.command import Command
Command.invoke = lambda self, ctx: sys.exit(0)
from convexpy_cli.main import main
main()
"""
APP = {
    "schema.py": "from convexpy import define_schema, define_table, v\n"
    'schema = define_schema({"notes": define_table({"text": v.string()})})\n',
    "notes.py": "from convexpy import mutation\n\n\n@mutation\ndef add(ctx, text: str) -> None:\n"
    '    ctx.db.insert("notes", {"text": text})\n',
}
DOCUMENTS = 20
PYTHON, TYPER = "python -c pass", "minimal typer app"
NODE_HELP, NODE_REQUEST, REQUEST = "node convex --help", "node convex env list", "one request"


@dataclass
class Times:
    """Seconds of each case, one for each round."""

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, name: str, seconds: float) -> None:
        """Note one run."""
        self.seconds.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float:
        """Return the median of a case."""
        return statistics.median(self.seconds[name])


def cases(folder: Path) -> dict[str, list[str]]:
    """Return the command lines of anchors and commands."""
    minimal = folder / "minimal.py"
    minimal.write_text(MINIMAL)
    python, cli = sys.executable, [sys.executable, "-c", ROOT_CODE]
    first_line = [python, "-c", FIRST_LINE]
    found = {
        PYTHON: [python, "-c", "pass"],
        TYPER: [python, str(minimal)],
        "A --version": [*cli, "--version"],
        "A --help": [*cli, "--help"],
        "A unknown command": [*cli, "nosuch"],
        "B env list": [*first_line, "env", "list"],
        "B dev": [*first_line, "dev", "--once"],
        "B import": [*first_line, "import", "x.zip"],
        "C env list --json": [*cli, "env", "list", "--json"],
        "C data notes --json": [*cli, "data", "notes", "--json"],
        "C data notes --format table": [*cli, "data", "notes", "--format", "table"],
        "B env list --help": [*cli, "env", "list", "--help"],
    }
    node = shutil.which("node")
    if node is not None and OFFICIAL.exists():
        found[NODE_HELP] = [node, str(OFFICIAL), "--help"]
        found[NODE_REQUEST] = [node, str(OFFICIAL), "env", "list"]
    return found


def measure(folder: Path, rounds: int, warm_ups: int) -> Times:
    """Run all cases in each of the rounds, after some that only fill the caches."""
    times = Times()
    app = folder / "app"
    app.mkdir()
    for name, text in APP.items():
        (app / name).write_text(text)
    with Server(folder / "data") as server:
        server.push(app)
        for number in range(DOCUMENTS):
            server.call("mutation", "notes:add", text=f"note {number}")
        url = f"http://127.0.0.1:{server.port}"
        target = {"CONVEXPY_URL": url, "CONVEXPY_DEPLOY_KEY": server.admin_key}
        official = {"CONVEX_SELF_HOSTED_URL": url, "CONVEX_SELF_HOSTED_ADMIN_KEY": server.admin_key}
        commands = list(cases(folder).items())
        for number in range(1 - warm_ups, rounds + 1):
            progress(f"round {number} of {rounds}")
            random.shuffle(commands)
            for name, command in commands:
                extra = official if name == NODE_REQUEST else target
                seconds = _run(command, folder, {**environment(), **extra})
                if number > 0:
                    times.add(name, seconds)
            if number > 0:
                times.add(REQUEST, _request(server.port, server.admin_key))
    return times


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return time.perf_counter() - started


def _request(port: int, key: str) -> float:
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(
        "GET", "/api/v1/list_environment_variables", headers={"Authorization": f"Convex {key}"}
    )
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - started


def reported(report: Report, times: Times) -> None:
    """Turn the times into ratios with their limits."""
    python, typer = times.median(PYTHON), times.median(TYPER)
    official = NODE_HELP in times.seconds
    for name in sorted(name for name in times.seconds if name[:2] in ("A ", "B ", "C ")):
        anchor = NODE_REQUEST if name[0] == "C" else NODE_HELP
        if official:
            report.ratio(f"{name} / {anchor}", times.median(name) / times.median(anchor), 0.5, "less")
    rows = [
        [name, f"{min(times.seconds[name]) * 1000:.1f}", f"{times.median(name) * 1000:.1f}",
         f"{times.median(name) / python:.2f}", f"{times.median(name) / typer:.2f}"]
        for name in sorted(times.seconds, key=times.median)
    ]  # fmt: skip
    report.table(["case", "min ms", "median ms", "x python", "x typer"], rows)
    if not official:
        report.note("the official command line is not installed: npm ci in tests/e2e/clients")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    report = Report("Start-up of the command line", given)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), *((1, 0) if given.quick else (given.rounds, 1)))
    reported(report, times)
    report.note(f"load before the run: {load:.1f}")
    report.show()


if __name__ == "__main__":
    main()
