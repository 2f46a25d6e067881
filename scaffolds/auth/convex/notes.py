"""Notes: everybody sees their own."""

from convexpy import ConvexError

from ._generated.data_model import NotesDoc, NotesId, UsersId
from ._generated.server import MutationCtx, QueryCtx, mutation, query
from .auth import auth

TEXT_LENGTH_MAX = 2000


@query(name="list")
def list_(ctx: QueryCtx) -> list[NotesDoc]:
    """Return the caller's notes, the newest first; none to those who are not signed in."""
    user_id = auth.user_id(ctx)
    if user_id is None:
        return []
    notes = ctx.db.query("notes").with_index("by_user", userId=UsersId(user_id))
    return notes.order("desc").take(100)


@mutation
def add(ctx: MutationCtx, text: str) -> NotesId:
    """Write a note."""
    user_id = UsersId(auth.require_user_id(ctx))
    text = text.strip()
    if not 0 < len(text) <= TEXT_LENGTH_MAX:
        raise ConvexError({"code": "BadNote", "message": f"A note has 1 to {TEXT_LENGTH_MAX} characters."})
    return ctx.db.insert("notes", {"userId": user_id, "text": text})


@mutation
def remove(ctx: MutationCtx, noteId: NotesId) -> None:
    """Delete a note of the caller's."""
    user_id = auth.require_user_id(ctx)
    note = ctx.db.get(noteId)
    if note is not None and note["userId"] == user_id:
        ctx.db.delete(noteId)
