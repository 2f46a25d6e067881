"""`convexpy doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    examples=(
        "convexpy doctor --fix",
        "convexpy doctor --network -d prod",
        "convexpy doctor --deep --data /var/lib/convexpy",
        "convexpy doctor --json | jq '.[] | select(.status != \"ok\")'",
    ),
)
def doctor(
    ctx: Context,
    fix: Annotated[bool, option("--fix", "Make safe repairs; ask before others.")] = False,
    network: Annotated[bool, option("--network", "Also measure the throughput to the deployment.")] = False,
    updates: Annotated[bool, option("--updates", "Also look for a newer version on PyPI.")] = False,
    deep: Annotated[bool, option("--deep", "Only check the data folder of a stopped server.")] = False,
    salvage: Annotated[
        bool, option("--salvage", "Recover from data.db if log.db is damaged or missing; asks first.")
    ] = False,
    data: Annotated[
        Path | None, option("--data DIR", "Data folder [default: that of the local deployment].")
    ] = None,
) -> int:
    """Check this machine, the project, the deployment, and the connection to it.

    --deep reads all stored data and verifies its structure, checksums and indexes. -v shows where each setting comes
    from. Exits with 1 if something is broken.
    """
    from convexpy_cli.doctor.examination import examine, examine_data

    if deep or salvage:
        return examine_data(ctx, data, deep=deep, salvage=salvage)
    return examine(ctx, fix=fix, network=network, updates=updates)
