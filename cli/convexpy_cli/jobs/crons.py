"""`convexpy crons`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy crons list",))
def crons_list(run: Invocation) -> None:
    """List the cron jobs: schedule, next three runs (local and UTC), how the last one ended, failures in a row.

    Exit codes: 0 done, 5 the key in use may not.
    """
    from convexpy_cli.jobs import listing

    with run.connected("crons list") as (_, client):
        crons = client.crons()
    columns = ["name", "schedule", "function", "next runs", "last run", "failures"]
    described = [listing.described_cron(cron) for cron in crons]
    run.output.table(columns, [listing.cron_cells(cron) for cron in crons], described)


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy crons history cleanup",))
def crons_history(run: Invocation, name: Annotated[str, Argument(help="the cron job")]) -> None:
    """List the latest runs of a cron job, the newest first, and those that were skipped because they were late.

    Exit codes: 0 done, 5 the key in use may not.
    """
    from convexpy_cli.jobs import listing

    with run.connected("crons history") as (_, client):
        runs = client.cron_history(name)
    run.output.table(["at", "outcome", "ms", "request"], [listing.run_cells(one) for one in runs], runs)


@leaf_command(examples=("convexpy crons run cleanup",))
def crons_run(run: Invocation, name: Annotated[str, Argument(help="the cron job")]) -> None:
    """Run a cron job now, as an extra run beside its schedule; print the id of the scheduled function that it is.

    Exit codes: 0 it is scheduled, 2 there is no such cron job.
    """
    with run.connected("crons run", writes=True) as (_, client):
        job = client.run_cron(name)
    run.output.result({"name": name, "job": job}, job)
