"""Rate limits and migrations, on the real engine in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from convexpy import ConvexError, FunctionError
from convexpy.testing._client import LocalTest
from convexpy.testing._local import LocalDeployment

MODULES = {
    "schema.py": """
from convexpy import define_schema, define_table, v
from convexpy.helpers import migration_tables, rate_limit_tables
schema = define_schema({
    "users": define_table({"name": v.string(), "role": v.optional(v.string())}),
    "audit": define_table({"user": v.string()}),
    **rate_limit_tables, **migration_tables,
})
""",
    "limited.py": """
from typing import Any
from convexpy import MutationCtx, mutation
from convexpy.helpers import rate_limit

@mutation
def take(ctx: MutationCtx, key: str | None = None, count: float = 1, kind: str = "token bucket",
         capacity: float | None = None, then_fail: bool = False) -> Any:
    status = rate_limit(ctx, "take", rate=3, period=60_000, key=key, count=count, kind=kind, capacity=capacity)
    if then_fail:
        raise ValueError("after the limit")
    return [status.ok, None if status.retry_at is None else status.retry_at - ctx.now()]
""",
    "migrations.py": """
from convexpy import internal_mutation
from convexpy.helpers import Migrations

migrations = Migrations(internal_mutation)

@migrations.define(table="users", batch_size=10)
def add_role(ctx, user):
    if user["name"] == "broken":
        raise ValueError("cannot be migrated")
    if "role" in user:
        return None
    ctx.db.insert("audit", {"user": user["name"]})
    return {"role": "member"}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("helped") / "convex"
    root.mkdir()
    for name, text in MODULES.items():
        (root / name).write_text(text)
    return root


@pytest.fixture
def app(folder: Path) -> Iterator[LocalTest]:
    local = LocalDeployment(folder)
    yield LocalTest(local)
    local.close()


def roles(app: LocalTest) -> list[str | None]:
    return app.run(lambda ctx: [user.get("role") for user in ctx.db.query("users")])


def fill(app: LocalTest, count: int, *, name: str = "user") -> None:
    app.run(lambda ctx: [ctx.db.insert("users", {"name": f"{name}{n}"}) for n in range(count)])


# Rate limits


def test_a_bucket_gives_what_is_in_it_and_fills_all_the_time(app: LocalTest) -> None:
    assert [app.mutation("limited:take") for _ in range(4)] == [[True, None]] * 3 + [[False, 20_000]]
    app.advance(timedelta(seconds=19))
    assert app.mutation("limited:take") == [False, 1_000]
    app.advance(timedelta(seconds=1))
    assert app.mutation("limited:take") == [True, None]
    assert app.mutation("limited:take") == [False, 20_000]
    app.advance(timedelta(hours=1))
    assert [app.mutation("limited:take")[0] for _ in range(4)] == [True, True, True, False]


def test_a_window_gives_at_its_beginning(app: LocalTest) -> None:
    args = {"kind": "fixed window"}
    assert [app.mutation("limited:take", args)[0] for _ in range(4)] == [True, True, True, False]
    app.advance(timedelta(seconds=59))
    assert app.mutation("limited:take", args) == [False, 1_000]
    app.advance(timedelta(seconds=1))
    assert [app.mutation("limited:take", args)[0] for _ in range(4)] == [True, True, True, False]


def test_everybody_has_a_limit_of_his_own(app: LocalTest) -> None:
    for _ in range(3):
        assert app.mutation("limited:take", key="a")[0]
    assert not app.mutation("limited:take", key="a")[0]
    assert app.mutation("limited:take", key="b")[0]


def test_all_or_nothing_is_taken(app: LocalTest) -> None:
    assert app.mutation("limited:take", count=2)[0]
    assert app.mutation("limited:take", count=2) == [False, 20_000]
    assert app.mutation("limited:take", count=1)[0]


def test_what_is_rolled_back_was_not_used_up(app: LocalTest) -> None:
    for _ in range(5):
        with pytest.raises(FunctionError, match="after the limit"):
            app.mutation("limited:take", then_fail=True)
    assert app.mutation("limited:take", count=3)[0]


@pytest.mark.parametrize("args", [{"count": 4}, {"count": 0}, {"capacity": -1}, {"count": 2, "capacity": 1}])
def test_a_limit_that_makes_no_sense_is_an_error(app: LocalTest, args: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="rate limit 'take'"):
        app.mutation("limited:take", args)


# Migrations


def test_a_migration_runs_in_batches_to_the_end(app: LocalTest) -> None:
    fill(app, 35)
    first = app.mutation("migrations:add_role")
    assert first == {"processed": 10, "changed": 10, "isDone": False}
    fill(app, 3, name="late")
    app.finish_scheduled()
    assert roles(app) == ["member"] * 38
    assert app.mutation("migrations:add_role") == {"processed": 38, "changed": 38, "isDone": True}
    fill(app, 2, name="later")
    assert app.mutation("migrations:add_role", fromStart=True)["processed"] == 10
    app.finish_scheduled()
    assert app.mutation("migrations:add_role") == {"processed": 40, "changed": 2, "isDone": True}


def test_a_dry_run_changes_nothing_and_shows_what_would(app: LocalTest) -> None:
    fill(app, 12)
    report = app.mutation("migrations:add_role", dryRun=True)
    assert (report["dryRun"], report["processed"], report["changed"]) == (True, 10, 10)
    assert [example["role"] for example in report["examples"]] == ["member"] * 5
    assert roles(app) == [None] * 12
    assert app.run(lambda ctx: ctx.db.query("audit").count()) == 0
    app.finish_scheduled()
    assert roles(app) == [None] * 12


def test_a_batch_that_raises_is_undone_and_the_next_call_goes_on_there(app: LocalTest) -> None:
    fill(app, 15)
    broken = app.run(lambda ctx: ctx.db.insert("users", {"name": "broken"}))
    fill(app, 5, name="after")
    app.mutation("migrations:add_role")
    app.finish_scheduled()
    assert roles(app).count("member") == 10
    with pytest.raises((FunctionError, ConvexError), match="cannot be migrated"):
        app.mutation("migrations:add_role")
    app.run(lambda ctx: ctx.db.patch(broken, {"name": "mended"}))
    app.mutation("migrations:add_role")
    app.finish_scheduled()
    assert roles(app) == ["member"] * 21
    assert app.run(lambda ctx: ctx.db.query("audit").count()) == 21


def test_two_runs_at_once_change_each_document_once(app: LocalTest) -> None:
    fill(app, 45)
    app.mutation("migrations:add_role")
    app.mutation("migrations:add_role")
    app.finish_scheduled()
    assert roles(app) == ["member"] * 45
    assert app.run(lambda ctx: ctx.db.query("audit").count()) == 45
    assert app.mutation("migrations:add_role")["processed"] == 45
