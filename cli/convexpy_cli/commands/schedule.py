"""`convexpy schedule`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import failure
from convexpy_cli.invocation import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy schedule list --state pending", "convexpy schedule list --function 'reminders:*'"),
)
def schedule_list(
    run: Invocation,
    state: Annotated[
        str | None, Option("--state", help="pending, running, success, failed or canceled")
    ] = None,
    function: Annotated[str | None, Option("--function", help="path, with * as wildcard")] = None,
    limit: Annotated[int, Option("--limit", help="so many, the latest planned first")] = 100,
) -> None:
    """List scheduled functions. Those that ended are kept for a week.

    Exit codes: 0 done, 2 no such state, 5 the key in use may not.
    """
    from convexpy_cli import schedule_work, targets

    kind = schedule_work.state_kind(state)
    with targets.connected(run, "schedule list") as (_, client):
        jobs = client.scheduled(state=kind, function=function, limit=limit)
    columns = ["function", "state", "planned for", "ended", "id"]
    described = [schedule_work.described(job) for job in jobs]
    run.output.table(columns, [schedule_work.job_cells(job) for job in jobs], described)


@leaf_command(formats=("human", "json"), examples=("convexpy schedule show ID",))
def schedule_show(run: Invocation, id: Annotated[str, Argument(metavar="ID", help="the job")]) -> None:
    """Show a scheduled function: arguments, times, and how it ended.

    Exit codes: 0 done, 2 there is no such job.
    """
    from convexpy_cli import schedule_work, targets

    with targets.connected(run, "schedule show") as (_, client):
        job = client.scheduled_job(id)
    if job is None:
        raise failure.Failure("JobNotFound", f"there is no scheduled function {id}", failure.USAGE)
    run.output.result(schedule_work.described(job), schedule_work.job_text(job))


@leaf_command(
    examples=("convexpy schedule cancel ID", "convexpy schedule cancel --function reminders:send --yes")
)
def schedule_cancel(
    run: Invocation,
    ids: Annotated[list[str] | None, Argument(metavar="ID", help="the jobs")] = None,
    function: Annotated[str | None, Option("--function", help="all that are pending of this one")] = None,
    everything: Annotated[bool, Option("--all", help="all that are pending")] = False,
) -> None:
    """Cancel scheduled functions. A running action goes on, but what it schedules from then on is not run.

    Exit codes: 0 done, 2 no job or a wrong id, 4 several and nobody to ask.
    """
    from convexpy_cli import schedule_work, targets

    if sum((bool(ids), function is not None, everything)) != 1:
        raise failure.usage("name the jobs, or give --function, or --all", "convexpy schedule cancel ID")
    with targets.connected(run, "schedule cancel", writes=True) as (_, client):
        schedule_work.cancel(run, client, list(ids or ()), function)
