"""Tasks: a query and two mutations."""

from convexpy import ConvexError

from ._generated.data_model import TasksDoc, TasksId
from ._generated.server import MutationCtx, QueryCtx, mutation, query


@query(name="list")
def list_(ctx: QueryCtx, done: bool | None = None) -> list[TasksDoc]:
    """The newest 100 tasks; with `done` only those that are, or are not."""
    tasks = ctx.db.query("tasks")
    if done is None:
        return tasks.order("desc").take(100)
    return tasks.with_index("by_done", done=done).order("desc").take(100)


@mutation
def add(ctx: MutationCtx, text: str) -> TasksId:
    """Add a task and return its id."""
    if not text.strip():
        raise ConvexError("a task needs a text")
    return ctx.db.insert("tasks", {"text": text.strip(), "done": False})


@mutation
def set_done(ctx: MutationCtx, taskId: TasksId, done: bool = True) -> None:
    """Tick a task off, or not."""
    ctx.db.patch(taskId, {"done": done})
