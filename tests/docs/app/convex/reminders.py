from datetime import timedelta

from ._generated.api import internal
from ._generated.server import MutationCtx, internal_mutation, mutation


@mutation
def create(ctx: MutationCtx, minutes: float) -> None:
    ctx.scheduler.run_after(timedelta(minutes=minutes), internal.reminders.remind, minutes=minutes)


@internal_mutation
def remind(ctx: MutationCtx, minutes: float) -> None:
    ctx.db.insert("reminders", {"minutes": minutes})
