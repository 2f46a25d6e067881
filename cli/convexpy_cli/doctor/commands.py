"""`convexpy doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=(
        "convexpy doctor",
        "convexpy doctor --fix",
        "convexpy doctor --network -d prod",
        "convexpy doctor --deep --data /var/lib/convexpy",
        "convexpy doctor --json | jq '.[] | select(.status != \"ok\")'",
    )
)
def doctor(
    run: Invocation,
    fix: Annotated[
        bool, Option("--fix", help="repair what can be repaired safely; asks before the rest")
    ] = False,
    network: Annotated[
        bool, Option("--network", help="measure the throughput to the deployment, too")
    ] = False,
    deep: Annotated[
        bool,
        Option("--deep", help="check every record in the data folder of a stopped server, and nothing else"),
    ] = False,
    salvage: Annotated[
        bool,
        Option(
            "--salvage",
            help="go on from data.db when log.db is torn or missing, and say what is lost; asks first",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        Option("--data", metavar="DIR", help="the data folder; default: the one of the local deployment"),
    ] = None,
    updates: Annotated[bool, Option("--updates", help="ask the package index for a newer version")] = False,
) -> int:
    """Look at everything that may be wrong: this machine, the project, the deployment, and the way to it.

    Each check stands alone and ends by itself; what needs a project or a deployment is skipped without one. Nothing but
    the chosen deployment is contacted, unless --updates asks for it. --deep reads all stored data: structure, checksums, and
    that indexes say what documents say; it writes nothing. -v shows every setting with its source. Exit codes:
    0 nothing is broken, 1 something is.
    """
    from convexpy_cli.doctor.examination import examine, examine_data

    if deep or salvage:
        return examine_data(run, data, deep=deep, salvage=salvage)
    return examine(run, fix=fix, network=network, updates=updates)
