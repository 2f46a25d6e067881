"""Actions that sleep until they are woken."""

import asyncio
import time

from convexpy import ActionCtx, MutationCtx, QueryCtx, SyncActionCtx, action, mutation, query


@mutation
def note(ctx: MutationCtx, what: str) -> None:
    ctx.db.insert("notes", {"what": what})


@query
def count(ctx: QueryCtx, what: str) -> int:
    return ctx.db.query("notes").filter(lambda document: document["what"] == what).count()


@action
async def nap(ctx: ActionCtx, round: str) -> None:
    await ctx.run_mutation(note, what=f"asleep {round}")
    while await ctx.run_query(count, what=f"wake {round}") == 0:
        await asyncio.sleep(1.0)


@action
def nap_in_thread(ctx: SyncActionCtx, round: str) -> None:
    ctx.run_mutation(note, what=f"asleep {round}")
    while ctx.run_query(count, what=f"wake {round}") == 0:
        time.sleep(1.0)
