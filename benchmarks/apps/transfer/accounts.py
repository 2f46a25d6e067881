"""Reading and seeding accounts."""

from typing import Any

from ._generated.server import MutationCtx, QueryCtx, mutation, query


@query
def get_account(ctx: QueryCtx, id: float) -> dict[str, float] | None:
    """Return one account."""
    account = ctx.db.query("accounts").with_index("by_account_id", id=id).first()
    return None if account is None else {"id": account["id"], "balance": account["balance"]}


@query
def total(ctx: QueryCtx, start: int, end: int) -> dict[str, float]:
    """Return how many accounts there are from `start` to below `end`, and their sum."""

    def within(q: Any) -> Any:
        return q.gte("id", start).lt("id", end)

    accounts = ctx.db.query("accounts").with_index("by_account_id", within).collect()
    return {"count": len(accounts), "sum": sum(account["balance"] for account in accounts)}


@mutation
def seed_range(ctx: MutationCtx, start: int, count: int, initial: float) -> None:
    """Insert accounts."""
    for number in range(start, start + count):
        ctx.db.insert("accounts", {"id": number, "balance": initial})
