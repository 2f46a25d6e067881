"""Jobs that all fall due at one moment, and the same mutation for callers."""

from convexpy import MutationCtx, QueryCtx, mutation, query


@mutation
def note(ctx: MutationCtx, number: int) -> None:
    """What each job does."""
    ctx.db.insert("notes", {"number": number, "at": ctx.now()})


@mutation
def plan(ctx: MutationCtx, count: int, at: float) -> None:
    """Schedule `count` jobs for one moment."""
    for number in range(count):
        ctx.scheduler.run_at(at, note, number=number)


@query
def pending(ctx: QueryCtx, at: float) -> int:
    """Return how many jobs of that moment have not ended."""
    jobs = ctx.db.system.query("_scheduled_functions").order("desc").take(1000)
    return sum(job["scheduledTime"] == at and job["state"]["kind"] == "pending" for job in jobs)


@query
def lateness(ctx: QueryCtx, at: float, count: int) -> list[float]:
    """Return by how many milliseconds each job of that moment ended after it."""
    jobs = ctx.db.system.query("_scheduled_functions").order("desc").take(count)
    return [job["completedTime"] - at for job in jobs if job["scheduledTime"] == at]
