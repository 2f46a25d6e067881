"""Deep inside."""

from convexpy import QueryCtx, query


@query
def get(ctx: QueryCtx, item: str) -> int | None:
    return None
