"""Processes of app code that read the database as a role of their own, which may not write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.postgres import PostgresServer
from support.processes import ServerProcess

NOTES = """
from convexpy import action, mutation, query

@mutation
def add(ctx, text: str):
    ctx.db.insert("notes", {"text": text})

@query
def read(ctx):
    return [note["text"] for note in ctx.db.query("notes")]

@action
async def environment(ctx):
    import os
    return sorted(name for name in os.environ if "DATABASE" in name)
"""


@pytest.fixture
def urls(postgres: PostgresServer) -> tuple[str, str]:
    """An address, and one of the same schema for a role that owns nothing."""
    return postgres.secret_url(), postgres.reading_url()


@pytest.fixture
def server(tmp_path: Path, urls: tuple[str, str]) -> Iterator[ServerProcess]:
    url, read = urls
    server = ServerProcess(tmp_path / "data", env={"CONVEXPY_DATABASE_READ_URL": read}, database=url)
    yield server
    server.close()


def test_functions_run_in_processes_whose_role_cannot_write(
    server: ServerProcess, postgres: PostgresServer, urls: tuple[str, str]
) -> None:
    server.push_ok({"notes.py": NOTES})
    server.call("mutation", "notes:add", text="first")
    assert server.stop() == 0
    server.start()
    assert server.call("query", "notes:read") == ["first"]
    server.call("mutation", "notes:add", text="second")
    assert server.call("query", "notes:read") == ["first", "second"]
    assert server.call("action", "notes:environment") == []
    schema = urls[0].partition("?schema=")[2]
    readers = postgres.query(
        "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'convexpy reader'"
    )
    assert readers == [("reads",)]
    with psycopg.connect(urls[1], autocommit=True) as connection:
        assert connection.execute(f"SELECT count(*) FROM {schema}.notes".encode()).fetchall() == [(1,)]
        for statement in (f"DELETE FROM {schema}._log", f"CREATE TABLE {schema}.mine(n integer)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
