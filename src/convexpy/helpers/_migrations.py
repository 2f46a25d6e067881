"""Migrations of stored documents: in batches while the app runs, resumable, and with a dry run.

    migrations = Migrations(internal_mutation)

    @migrations.define(table="users")
    def add_role(ctx, user):
        return None if "role" in user else {"role": "member"}

`convexpy run migrations:add_role` starts it, or goes on where it stopped; `dryRun=true` shows what the first batch would
change, `fromStart=true` begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convexpy.errors import ConvexError
from convexpy.functions import MutationCtx, MutationDecorator
from convexpy.schema import TableDefinition, define_table
from convexpy.values import v

TABLE = "migrations"
SHOWN_MAX = 5

migration_tables: Mapping[str, TableDefinition] = {
    TABLE: define_table(
        {
            "name": v.string(),
            "table": v.string(),
            "cursor": v.nullable(v.string()),
            "processed": v.number(),
            "changed": v.number(),
            "isDone": v.boolean(),
            "startedAt": v.number(),
            "finishedAt": v.optional(v.number()),
        }
    ).index("by_name", ["name"])
}
"""For the schema: `define_schema({**migration_tables, ...})`."""

Change = Callable[[Any, Any], Mapping[str, Any] | None]


class _DryRun(ConvexError):
    """Carries the report of a dry run out of the transaction that is undone."""


class Migrations:
    """`migrations = Migrations(internal_mutation)` gives a decorator for one document at a time."""

    def __init__(self, base: MutationDecorator[Any], /) -> None:
        self._base = base

    def define(self, *, table: str, batch_size: int = 100) -> Callable[[Change], Any]:
        """Return a decorator: the function gets ctx and a document, and returns a patch, or None to leave it.

        It may write other documents, too. A batch that raises is undone and ends the run; the next call goes on there.
        """

        def decorate(change: Change) -> Any:
            def migration(
                ctx: MutationCtx,
                cursor: str | None = None,
                batchSize: int = batch_size,  # noqa: N803 - as callers write it
                dryRun: bool = False,  # noqa: N803
                fromStart: bool = False,  # noqa: N803
                isNext: bool = False,  # noqa: N803
            ) -> dict[str, Any]:
                run = _Run(ctx, table, change, batchSize)
                if isNext and dryRun:
                    raise _DryRun(run.try_out(cursor))
                if dryRun:
                    return run.undone(itself)
                return run.batch(itself, cursor if isNext else None, is_next=isNext, from_start=fromStart)

            migration.__name__ = change.__name__
            migration.__doc__ = change.__doc__
            itself = self._base(migration)
            return itself

        return decorate


class _Run:
    """One call of a migration: one batch."""

    def __init__(self, ctx: MutationCtx, table: str, change: Change, size: int) -> None:
        self._ctx = ctx
        self._table = table
        self._change = change
        self._size = size

    def _apply(self, cursor: str | None) -> tuple[Any, list[dict[str, Any]]]:
        page = self._ctx.db.query(self._table).paginate({"numItems": self._size, "cursor": cursor})
        changed: list[dict[str, Any]] = []
        for document in page.page:
            patch = self._change(self._ctx, document)
            if patch is not None:
                self._ctx.db.patch(document["_id"], dict(patch))
                changed.append({"_id": document["_id"], **patch})
        return page, changed

    def try_out(self, cursor: str | None) -> dict[str, Any]:
        """Apply a batch and tell what it did."""
        page, changed = self._apply(cursor)
        return {
            "dryRun": True,
            "processed": len(page.page),
            "changed": len(changed),
            "examples": changed[:SHOWN_MAX],
        }

    def undone(self, itself: Any) -> dict[str, Any]:
        """Try a batch in a transaction of its own, which is undone."""
        state = self._state()
        cursor = None if state is None or state["isDone"] else state["cursor"]
        args = {"cursor": cursor, "batchSize": self._size, "dryRun": True, "isNext": True}
        try:
            self._ctx.run_mutation(itself, args)
        except ConvexError as ended:
            if isinstance(ended.data, Mapping) and ended.data.get("dryRun") is True:
                return dict(ended.data)
            raise
        raise AssertionError("a dry run ends with its report")

    def batch(self, itself: Any, cursor: str | None, *, is_next: bool, from_start: bool) -> dict[str, Any]:
        """Change one batch, keep where it ended, and have the next one run."""
        state = self._state()
        if is_next and (state is None or state["isDone"] or state["cursor"] != cursor):
            return {"superseded": True}  # another run has gone on from here
        if state is None or from_start:
            state = self._begin(state)
        if state["isDone"]:
            return _shown(state)
        page, changed = self._apply(state["cursor"])
        after = {
            "cursor": page.continueCursor,
            "processed": state["processed"] + len(page.page),
            "changed": state["changed"] + len(changed),
            "isDone": page.isDone,
            **({"finishedAt": self._ctx.now()} if page.isDone else {}),
        }
        self._ctx.db.patch(state["_id"], after)
        if not page.isDone:
            following = {"cursor": page.continueCursor, "batchSize": self._size, "isNext": True}
            self._ctx.scheduler.run_after(0, itself, following)
        return _shown({**state, **after})

    def _state(self) -> Mapping[str, Any] | None:
        name = self._ctx.meta.function
        return self._ctx.db.query(TABLE).with_index("by_name", name=name).unique()

    def _begin(self, before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        fresh = {
            "name": self._ctx.meta.function,
            "table": self._table,
            "cursor": None,
            "processed": 0,
            "changed": 0,
            "isDone": False,
            "startedAt": self._ctx.now(),
        }
        if before is not None:
            self._ctx.db.replace(before["_id"], fresh)
            return {**fresh, "_id": before["_id"]}
        return {**fresh, "_id": self._ctx.db.insert(TABLE, fresh)}


def _shown(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"processed": state["processed"], "changed": state["changed"], "isDone": state["isDone"]}
