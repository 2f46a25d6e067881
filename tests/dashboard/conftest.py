"""What the tests of the dashboard share: an app, dashboards that end with their test, Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsers import browser as browser, rebound_browser as rebound_browser
from support.dashboard import DashboardProcess
from support.npm import installed_clients
from support.processes import ServerProcess

SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema(
    {
        "authors": define_table({"name": v.string()}),
        "books": define_table(
            {"title": v.string(), "pages": v.number(), "author": v.optional(v.id("authors"))}
        ).index("by_pages", ["pages"]),
    }
)
"""
APP = """
import logging

from convexpy import mutation, query

@mutation
def add(ctx, title: str, pages: float, author: str | None = None) -> str:
    document = {"title": title, "pages": pages}
    if author is not None:
        document["author"] = author
    return ctx.db.insert("books", document)

@mutation
def fill(ctx, count: int) -> None:
    for number in range(count):
        ctx.db.insert("books", {"title": f"Book {number}", "pages": number})

@mutation
def author(ctx, name: str) -> str:
    return ctx.db.insert("authors", {"name": name})

@mutation
def say(ctx, text: str) -> None:
    print(f"said: {text}")
    logging.warning(f"warned of {text}")

@mutation
def later(ctx, text: str) -> str:
    return ctx.scheduler.run_after(3_600_000, "app:say", {"text": text})

@query
def caller(ctx) -> str | None:
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.subject

@query
def fails(ctx) -> None:
    raise ValueError("out of paper")

@query
def first(ctx) -> str:
    found = ctx.db.query("books").first()
    if found is None:
        raise ValueError("no book yet")
    return found["title"]

@query
def titles(ctx) -> list[str]:
    return [each["title"] for each in ctx.db.query("books").collect()]
"""
CRONS = """
from convexpy import cron_jobs

from .app import say

crons = cron_jobs()
crons.daily("speak", say, {"text": "from the cron"}, hour_utc=3, minute_utc=0)
"""

Open = Callable[..., DashboardProcess]


@pytest.fixture
def app(server: ServerProcess) -> ServerProcess:
    server.push_ok({"schema.py": SCHEMA, "app.py": APP, "crons.py": CRONS})
    return server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Open]:
    """Start dashboards; each must end well when it is interrupted."""
    started: list[DashboardProcess] = []

    def start(server: ServerProcess, **options: Any) -> DashboardProcess:
        started.append(DashboardProcess(tmp_path, server, **options))
        return started[-1]

    yield start
    for each in started:
        assert each.stop() in (0, 130), each.errors
        assert "Traceback" not in each.errors


@pytest.fixture(scope="session")
def node_clients() -> Path:
    """The folder of the npm packages that tests use, axe-core among them."""
    return installed_clients()
