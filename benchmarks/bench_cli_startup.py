"""Start-up time of the command line, as ratios to anchors measured in the same run.

Rounds of all cases in random order, medians, and each case's ratio to `python -c pass` and to a minimal typer application:

    python benchmarks/bench_cli_startup.py [--rounds 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINIMAL = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def main(json: bool = typer.Option(False, "--json")): print("{}")
app()
"""
PYTHON_LIMIT, LEAF_LIMIT, REQUEST_LIMIT = 1.5, 1.15, 1.5


def cases(folder: Path) -> dict[str, list[str]]:
    """Return the command lines to measure; the first two are the anchors."""
    minimal = folder / "minimal.py"
    minimal.write_text(MINIMAL)
    project = folder / "project"
    (project / "convex").mkdir(parents=True)
    # As the installed script does it.
    cli = [sys.executable, "-c", "import sys; from convexpy_cli.main import run; sys.exit(run(sys.argv[1:]))"]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "minimal typer app": [sys.executable, str(minimal)],
        "--version": [*cli, "--version"],
        "--help": [*cli, "--help"],
        "unknown command": [*cli, "nosuch"],
        "leaf, parsed only": [*cli, "env", "list", "--no-such-option"],
        "version --json": [*cli, "version", "--json"],
        "deployment show --json": [*cli, "-C", str(project), "deployment", "show", "--json"],
    }


def measure(rounds: int) -> dict[str, float]:
    """Return the median of each case, in seconds."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'cli'}"}
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        commands = list(cases(Path(folder)).items())
        for number in range(rounds + 1):
            random.shuffle(commands)
            for name, command in commands:
                started = time.perf_counter()
                subprocess.run(command, env=environment, capture_output=True, check=False)
                if number:  # the first round fills the caches
                    times.setdefault(name, []).append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    medians = measure(options.rounds)
    python, typer = medians["python -c pass"], medians["minimal typer app"]
    rows = {
        name: {"ms": value * 1000, "perPython": value / python, "perTyper": value / typer}
        for name, value in sorted(medians.items(), key=lambda item: item[1])
    }
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'case':<26} {'median ms':>10} {'x python':>9} {'x typer':>8}")
    for name, row in rows.items():
        print(f"{name:<26} {row['ms']:>10.1f} {row['perPython']:>9.2f} {row['perTyper']:>8.2f}")
    print(
        f"limits: root <= {PYTHON_LIMIT} x python; a leaf <= {LEAF_LIMIT} x typer;"
        f" with the library loaded <= {REQUEST_LIMIT} x typer + the request"
    )


if __name__ == "__main__":
    main()
