"""Watching and changing the topic."""

from typing import Any

from ._generated.server import MutationCtx, QueryCtx, mutation, query


@query
def watch(ctx: QueryCtx, name: str) -> dict[str, Any] | None:
    """Return the topic: the same for all who ask."""
    return ctx.db.query("topics").with_index("by_name", name=name).first()


@query
def watch_with_note(ctx: QueryCtx, name: str, owner: int) -> dict[str, Any]:
    """Return the round of the topic and the asker's own note: another query for each owner."""
    topic = ctx.db.query("topics").with_index("by_name", name=name).first()
    note = ctx.db.query("notes").with_index("by_owner", owner=owner).first()
    return {"round": None if topic is None else topic["round"], "note": note}


@mutation
def change(ctx: MutationCtx, name: str, round: int, size: int) -> None:
    """Begin the next round, with a text of `size` characters."""
    topic = ctx.db.query("topics").with_index("by_name", name=name).first()
    text = f"{round:09d}" + "x" * (size - 9)
    if topic is None:
        ctx.db.insert("topics", {"name": name, "round": round, "text": text})
    else:
        ctx.db.patch(topic["_id"], {"round": round, "text": text})


@mutation
def write_notes(ctx: MutationCtx, count: int) -> None:
    """Write a note for each of `count` owners."""
    for owner in range(count):
        ctx.db.insert("notes", {"owner": owner, "text": f"the note of {owner}, which nobody changes"})
