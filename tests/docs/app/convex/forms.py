from typing import Any

from ._generated.server import MutationCtx, mutation


@mutation
def save(ctx: MutationCtx, name: str) -> dict[str, Any]:
    return {"saved": name}
