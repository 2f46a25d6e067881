"""The transfer: two reads over an index, two updates."""

from ._generated.server import MutationCtx, mutation


@mutation
def transfer(ctx: MutationCtx, amount: float, from_id: float, to_id: float) -> None:
    """Move an amount from one account to another."""
    source = ctx.db.query("accounts").with_index("by_account_id", id=from_id).first()
    target = ctx.db.query("accounts").with_index("by_account_id", id=to_id).first()
    if source is None or target is None:
        raise ValueError("account not found")
    if source["balance"] < amount:
        return
    ctx.db.patch(source["_id"], {"balance": source["balance"] - amount})
    ctx.db.patch(target["_id"], {"balance": target["balance"] + amount})
