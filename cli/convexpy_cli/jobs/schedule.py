"""`convexpy schedule`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"),
    examples=(
        "convexpy schedule list --state pending",
        "convexpy schedule list --function 'reminders:*' --after 1h --before +1d",
    ),
)
def schedule_list(
    run: Invocation,
    state: Annotated[
        str | None, Option("--state", help="pending, running, success, failed or canceled")
    ] = None,
    function: Annotated[str | None, Option("--function", help="path, with * as wildcard")] = None,
    limit: Annotated[int, Option("--limit", help="so many, the latest planned first")] = 100,
    after: Annotated[
        str | None,
        Option("--after", metavar="TIME", help="planned for then or later: 2h (ago), +2h (from now), 14:30"),
    ] = None,
    before: Annotated[
        str | None, Option("--before", metavar="TIME", help="planned for an earlier time than this")
    ] = None,
) -> None:
    """List scheduled functions. Those that ended are kept for a week.

    Times are those that a function is planned for: a span ago (2h), a span from now (+2h), a time of today, or a date and a
    time. Exit codes: 0 done, 2 no such state or time, 5 the key in use may not.
    """
    from convexpy_cli.jobs import listing

    kind = listing.state_kind(state)
    with run.connected("schedule list") as (_, client):
        jobs = client.scheduled(
            state=kind,
            function=function,
            limit=limit,
            after=listing.planned_ms(after),
            before=listing.planned_ms(before),
        )
        requests = listing.requests(client, jobs)
    columns = ["function", "state", "planned for", "ended", "id"]
    described = [listing.described(job, requests) for job in jobs]
    run.output.table(columns, [listing.job_cells(job) for job in jobs], described)


@leaf_command(formats=("human", "json"), examples=("convexpy schedule show ID",))
def schedule_show(run: Invocation, id: Annotated[str, Argument(metavar="ID", help="the job")]) -> None:
    """Show a scheduled function: arguments, times, how it ended, and the request that it ran as, with the way to its log.

    The request is known as long as the server that ran it has not been started anew, as its log is.

    Exit codes: 0 done, 2 there is no such job.
    """
    from convexpy_cli.jobs import listing

    with run.connected("schedule show") as (_, client):
        job = client.scheduled_job(id)
        requests = listing.requests(client, [] if job is None else [job])
    if job is None:
        raise errors.Failure("JobNotFound", f"there is no scheduled function {id}", errors.USAGE)
    run.output.result(listing.described(job, requests), listing.job_text(job, requests))


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
    from convexpy_cli.jobs import listing

    if sum((bool(ids), function is not None, everything)) != 1:
        raise errors.usage("name the jobs, or give --function, or --all", "convexpy schedule cancel ID")
    with run.connected("schedule cancel", writes=True) as (_, client):
        listing.cancel(run, client, list(ids or ()), function)
