"""A transfer that takes its time between reading and writing."""

import time

from ._generated.server import MutationCtx, mutation


@mutation
def transfer(ctx: MutationCtx, from_id: float, to_id: float, ms: float, compute: bool) -> None:
    """Move one unit after so many milliseconds of sleep, or of computing."""
    source = ctx.db.query("accounts").with_index("by_account_id", id=from_id).first()
    target = ctx.db.query("accounts").with_index("by_account_id", id=to_id).first()
    if source is None or target is None:
        raise ValueError("account not found")
    if compute:
        until = time.thread_time() + ms / 1000
        while time.thread_time() < until:
            pass
    else:
        time.sleep(ms / 1000)
    ctx.db.patch(source["_id"], {"balance": source["balance"] - 1})
    ctx.db.patch(target["_id"], {"balance": target["balance"] + 1})
