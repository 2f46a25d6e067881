"""`convexpy status`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "json", "jsonl"), examples=("convexpy status -d prod", "convexpy status --json")
)
def status(
    run: Invocation,
    watch: Annotated[bool, Option("--watch", help="again and again, until Ctrl-C")] = False,
    interval: Annotated[float, Option("--interval", metavar="SECONDS", help="between two looks")] = 2.0,
) -> int | None:
    """Show how the deployment is: reachable, what is live and who pushed it, builds, clients, errors, crons, disk.

    Exit codes: 0 it answers, 3 no target, 5 key, 6 it does not answer.
    """
    from convexpy_cli.deployments import status

    return status.show(run, watch=watch, interval_s=interval)
