from typing import Any

from ._generated.server import QueryCtx, query


@query
def page(ctx: QueryCtx, paginationOpts: dict[str, Any]) -> dict[str, Any]:
    return {"page": [{"text": "a"}, {"text": "b"}], "continueCursor": "", "isDone": True}
