"""`convexpy schedule` and `convexpy crons` against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

pytestmark = pytest.mark.slow
APP = {
    "tasks.py": """
from convexpy import MutationCtx, internal_mutation, mutation

@internal_mutation
def note(ctx: MutationCtx, text: str = "cron") -> None:
    ctx.db.insert("notes", {"text": text})

@mutation
def plan(ctx: MutationCtx, ms: float, text: str) -> str:
    return ctx.scheduler.run_after(ms, note, text=text)
""",
    "crons.py": """
from convexpy import cron_jobs
from . import tasks
crons = cron_jobs()
crons.weekly("tidy", tasks.note, day_of_week="sunday", hour_utc=3, minute_utc=7)
""",
}


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against the server."""
    server.push_ok(APP)
    return lambda *words, **expected: run(
        "--url", server.url, "--admin-key", server.admin_key, *words, **expected
    )


def test_jobs_are_listed_shown_and_canceled(here: Any, server: ServerProcess) -> None:
    first, *others = (server.call("mutation", "tasks:plan", ms=3_600_000, text=name) for name in "abcd")
    done = server.call("mutation", "tasks:plan", ms=0, text="done")
    wait_for(lambda: here("schedule", "show", done, "--json").json()["state"] == "success")
    request = here("schedule", "show", done, "--json").json()["requestId"]
    assert f"convexpy logs --request {request}" in here("schedule", "show", done).stdout
    assert '"requestId":"' + request in here(
        "logs", "--request", request, "--success", "--json"
    ).stdout.replace(" ", "")
    pending = here("schedule", "list", "--state", "pending", "--json").json()
    assert {job["id"] for job in pending} == {first, *others}
    assert here("schedule", "list", "--function", "other:*", "--json").json() == []
    assert len(here("schedule", "list", "--function", "tasks:*", "--limit", "2", "--json").json()) == 2
    assert "tasks:note" in here("schedule", "list").stdout
    assert {job["requestId"] for job in here("schedule", "list", "--json").json()} == {None, request}
    for state in ((), ("--state", "pending")):
        soon = here("schedule", "list", *state, "--after", "+30m", "--before", "+2h", "--json").json()
        assert {job["id"] for job in soon} == {first, *others}
        assert here("schedule", "list", *state, "--after", "+2h", "--json").json() == []
    past = here("schedule", "list", "--before", "+1m", "--after", "1h", "--json").json()
    assert [job["id"] for job in past] == [done]
    error = here("schedule", "list", "--after", "soon", "--json", expect=2).error()
    assert error["code"] == "UsageError"
    shown = here("schedule", "show", first)
    assert "pending" in shown.stdout
    assert '{"text": "a"}' in shown.stdout

    assert here("schedule", "cancel", first, "--json").json() == {"canceled": 1}
    assert here("schedule", "show", first, "--json").json()["state"] == "canceled"
    error = here("schedule", "cancel", "--function", "tasks:note", "--json", expect=9).error()
    assert error["code"] == "ConsentRequired"
    assert here("--yes", "schedule", "cancel", *others[:2], "--json").json() == {"canceled": 2}
    assert here("--yes", "schedule", "cancel", "--all", "--json").json() == {"canceled": 1}
    assert here("schedule", "list", "--state", "pending", "--json").json() == []
    assert here("schedule", "cancel", "nonsense", "--json", expect=2).error()["code"] == "InvalidId"
    assert here("schedule", "list", "--state", "odd", "--json", expect=2).error()["code"] == "UsageError"
    assert here("schedule", "cancel", "--json", expect=2).error()["code"] == "UsageError"


def test_crons_are_listed_run_and_remembered(here: Any, server: ServerProcess) -> None:
    (cron,) = here("crons", "list", "--json").json()
    assert (cron["name"], cron["schedule"], cron["function"]) == (
        "tidy",
        "Sundays at 03:07 UTC",
        "tasks:note",
    )
    assert cron["last"] is None
    week_ms = 7 * 86_400_000
    first, second, third = cron["nextRuns"]
    assert (second - first, third - second) == (week_ms, week_ms)
    assert (
        first % week_ms == (3 * 86_400 + 3 * 3600 + 7 * 60) * 1000
    )  # a Sunday; the epoch began on a Thursday
    assert " 03:07:00 UTC" in here("crons", "list").stdout
    assert "Sundays at 03:07 UTC" in here("crons", "list").stdout
    job = here("crons", "run", "tidy").stdout.strip()
    wait_for(lambda: here("schedule", "show", job, "--json").json()["state"] == "success")
    assert here("crons", "history", "tidy", "--json").json() == []
    assert here("crons", "run", "none", "--json", expect=2).error()["code"] == "CronNotFound"
