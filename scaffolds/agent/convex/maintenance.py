"""What happens by itself: sessions that hang are ended, old ones deleted, days counted."""

from datetime import timedelta

from convexpy import from_ms

from . import sessions
from ._generated.data_model import SessionsId
from ._generated.server import MutationCtx, internal_mutation

HUNG = timedelta(minutes=15)
KEPT = timedelta(days=30)
BATCH = 50


def _before(ctx: MutationCtx, age: timedelta) -> float:
    return ctx.now() - age.total_seconds() * 1000


@internal_mutation
def check_session(ctx: MutationCtx, sessionId: SessionsId) -> None:
    """End a session that has been running for too long; look again later at one that may still end by itself."""
    session = ctx.db.get("sessions", sessionId)
    if session is None or session["status"] != "running":
        return
    if session["lastActiveAt"] < _before(ctx, HUNG):
        ctx.run_mutation(sessions.finish, sessionId=sessionId, status="failed", error="gave up waiting")
    else:
        ctx.scheduler.run_after(sessions.FOLLOW_UP, check_session, sessionId=sessionId)


@internal_mutation
def end_hung_sessions(ctx: MutationCtx) -> int:
    """End every session that has been running for too long."""
    hung = ctx.db.query("sessions").with_index(
        "by_status_lastActive", lambda q: q.eq("status", "running").lt("lastActiveAt", _before(ctx, HUNG))
    ).take(BATCH)
    for session in hung:
        ctx.run_mutation(sessions.finish, sessionId=session["_id"], status="failed", error="gave up waiting")
    return len(hung)


@internal_mutation
def delete_old_sessions(ctx: MutationCtx) -> int:
    """Delete sessions that ended long ago with all that belongs to them, a batch at a time."""
    find, since = ctx.db.query("sessions").with_index, _before(ctx, KEPT)
    completed = find("by_status_lastActive", lambda q: q.eq("status", "completed").lt("lastActiveAt", since))
    failed = find("by_status_lastActive", lambda q: q.eq("status", "failed").lt("lastActiveAt", since))
    old = [*completed.take(BATCH), *failed.take(BATCH)]
    for session in old:
        _delete_session(ctx, session["_id"])
    if len(old) >= BATCH:
        ctx.scheduler.run_after(0, delete_old_sessions)
    return len(old)


def _delete_session(ctx: MutationCtx, session_id: SessionsId) -> None:
    for message in ctx.db.query("messages").with_index("by_session", sessionId=session_id):
        ctx.db.delete(message["_id"])
    for step in ctx.db.query("steps").with_index("by_session", sessionId=session_id):
        ctx.db.delete(step["_id"])
    for artifact in ctx.db.query("artifacts").with_index("by_session", sessionId=session_id):
        ctx.storage.delete(artifact["storageId"])
        ctx.db.delete(artifact["_id"])
    for checkpoint in ctx.db.query("checkpoints").with_index("by_session_version", sessionId=session_id):
        ctx.storage.delete(checkpoint["storageId"])
        ctx.db.delete(checkpoint["_id"])
    ctx.db.delete(session_id)


@internal_mutation
def daily_report(ctx: MutationCtx) -> None:
    """Count yesterday's sessions."""
    day = from_ms(_before(ctx, timedelta(days=1))).date()
    begin = _before(ctx, timedelta(days=1))
    made = ctx.db.query("sessions").filter(lambda session: session["_creationTime"] >= begin).collect()
    failed = sum(session["status"] == "failed" for session in made)
    known = ctx.db.query("reports").with_index("by_day", day=day.isoformat()).unique()
    if known is not None:
        ctx.db.delete(known["_id"])
    ctx.db.insert("reports", {"day": day.isoformat(), "sessions": len(made), "failed": failed})


@internal_mutation
def health(ctx: MutationCtx) -> None:
    """Note that the app is alive, and how much is going on; only the newest note is kept."""
    for old in ctx.db.query("health"):
        ctx.db.delete(old["_id"])
    running = ctx.db.query("sessions").with_index("by_status_lastActive", status="running").count()
    ctx.db.insert("health", {"checkedAt": ctx.now(), "running": running})
