"""The commands of `convexpy schedule` and `convexpy crons`."""

from __future__ import annotations

from typing import Annotated, Literal

from convexpy_cli import completion, errors
from convexpy_cli.command import argument, command, family, option
from convexpy_cli.context import Context

schedule_app = family("Inspect and cancel scheduled functions.")
crons_app = family("Inspect and run cron jobs.")

CronName = Annotated[str, argument("Name of the cron job.")]


@command(
    schedule_app,
    "list",
    formats=("human", "plain", "json"),
    examples=(
        "convexpy schedule list --state pending",
        "convexpy schedule list --function 'reminders:*' --after 1h --before +1d",
    ),
)
def schedule_list(
    ctx: Context,
    state: Annotated[
        Literal["pending", "running", "success", "failed", "canceled"] | None,
        option("--state STATE", "pending, running, success, failed or canceled."),
    ] = None,
    function: Annotated[str | None, option("--function PATH", "Only this function; * is a wildcard.")] = None,
    limit: Annotated[int, option("--limit N", "Number of jobs, latest first.")] = 100,
    after: Annotated[str | None, option("--after TIME", "Scheduled for this time or later.")] = None,
    before: Annotated[str | None, option("--before TIME", "Scheduled for an earlier time.")] = None,
) -> None:
    """List scheduled functions. Finished ones are kept for a week.

    TIME is 2h (ago), +2h (from now), a time of today such as 14:30, or a date and time.
    """
    from convexpy_cli.jobs import listing

    with ctx.connected("schedule list") as (_, client):
        jobs = client.scheduled(
            state="inProgress" if state == "running" else state,
            function=function,
            limit=limit,
            after=listing.planned_ms(after),
            before=listing.planned_ms(before),
        )
        requests = listing.requests(client, jobs)
    described = [listing.described(job, requests) for job in jobs]
    columns = ["function", "state", "scheduled for", "ended", "id"]
    ctx.output.table(columns, [listing.job_cells(job) for job in described], described)


@command(schedule_app, "show", examples=("convexpy schedule show ID",))
def schedule_show(ctx: Context, id: Annotated[str, argument("Id of the job.")]) -> None:
    """Show a scheduled function in detail.

    The id of the request it ran in is known until the server restarts.
    """
    from convexpy_cli.jobs import listing

    with ctx.connected("schedule show") as (_, client):
        job = client.scheduled_job(id)
        requests = listing.requests(client, [] if job is None else [job])
    if job is None:
        raise errors.Failure("JobNotFound", f"no scheduled function {id}")
    described = listing.described(job, requests)
    ctx.output.fields(described, listing.job_fields(ctx, described))


@command(
    schedule_app,
    "cancel",
    examples=("convexpy schedule cancel ID", "convexpy schedule cancel --function reminders:send --yes"),
)
def schedule_cancel(
    ctx: Context,
    ids: Annotated[list[str] | None, argument("Ids of the jobs.", "ID")] = None,
    function: Annotated[
        str | None,
        option("--function PATH", "Cancel all pending jobs of this function.", complete=completion.functions),
    ] = None,
    everything: Annotated[bool, option("--all", "Cancel all pending jobs.")] = False,
) -> None:
    """Cancel scheduled functions. A running action continues, but what it schedules afterwards does not run."""
    from convexpy_cli.jobs import listing

    if sum((bool(ids), function is not None, everything)) != 1:
        raise errors.usage("name the jobs, or use --function or --all", "convexpy schedule cancel ID")
    with ctx.connected("schedule cancel", writes=True) as (_, client):
        listing.cancel(ctx, client, list(ids or ()), function)


@command(crons_app, "list", formats=("human", "plain", "json"), examples=("convexpy crons list",))
def crons_list(ctx: Context) -> None:
    """List cron jobs with their last and next runs.

    Times are shown in local time and UTC. Failures are counted since the last success.
    """
    from convexpy_cli.jobs import listing

    with ctx.connected("crons list") as (_, client):
        crons = client.crons()
    columns = ["name", "schedule", "function", "next runs", "last run", "failures"]
    described = [listing.described_cron(cron) for cron in crons]
    ctx.output.table(columns, [listing.cron_cells(cron) for cron in described], described)


@command(
    crons_app, "history", formats=("human", "plain", "json"), examples=("convexpy crons history cleanup",)
)
def crons_history(ctx: Context, name: CronName) -> None:
    """List the latest runs of a cron job, newest first."""
    from convexpy_cli.jobs import listing

    with ctx.connected("crons history") as (_, client):
        runs = client.cron_history(name)
    ctx.output.table(["at", "outcome", "ms", "request"], [listing.run_cells(one) for one in runs], runs)


@command(crons_app, "run", examples=("convexpy crons run cleanup",))
def crons_run(ctx: Context, name: CronName) -> None:
    """Run a cron job now, in addition to its schedule.

    Prints the id of the scheduled function.
    """
    with ctx.connected("crons run", writes=True) as (_, client):
        job = client.run_cron(name)
    ctx.output.result({"name": name, "job": job}, job)
