"""Variables at rest: encrypted, bound to their name and deployment, and of no use without the key beside the data."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.production import ProductionServer
from support.sockets import SyncSocket, add
from support.stored import replace_in_documents

SECRET = "sk-live-51H8xYz-not-to-be-found"
APP = """
import os
from convexpy import query

@query
def value(ctx, name: str):
    return os.environ.get(name)
"""


def set_variables(server: ServerProcess, **values: str | None) -> None:
    changes = [{"name": name, "value": value} for name, value in values.items()]
    body = {"changes": changes}
    assert server.request("POST", "/api/update_environment_variables", body, admin=True)[0] == 200


def key_file(server: ServerProcess) -> Path:
    return server.data.with_name(server.data.name + ".secret-key")


def start_again(server: ServerProcess, **env: str) -> subprocess.CompletedProcess[str]:
    """Start in a way that must fail."""
    command = [
        sys.executable,
        "-m",
        "convexpy.serve",
        "--data",
        str(server.data),
        "--port",
        "0",
        "--site-port",
        "0",
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env={**server._env, **env}
    )


def stored_values(server: ServerProcess) -> dict[str, str]:
    """What is stored as the value of each variable."""
    with contextlib.closing(sqlite3.connect(server.data / "data.db")) as data:
        rows = data.execute("SELECT document FROM _environment_variables").fetchall()
    documents = [json.loads(document) for (document,) in rows]
    return {document["name"]: document["value"] for document in documents}


def test_no_file_holds_a_value_and_a_restart_reads_it(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"app.py": APP})
    set_variables(server, API_KEY=SECRET, OTHER="plain words that nobody stores")
    assert server.call("query", "app:value", name="API_KEY") == SECRET
    server.stop()
    for file in server.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert SECRET.encode() not in content, file
            assert b"plain words" not in content, file
    assert stat.S_IMODE(key_file(server).stat().st_mode) == 0o600
    server.start()
    assert server.call("query", "app:value", name="API_KEY") == SECRET
    listed = server.request("GET", "/api/v1/list_environment_variables", admin=True)[1]
    assert listed["environmentVariables"]["API_KEY"] == SECRET
    assert SECRET not in server.errors()


def test_the_official_queries_show_values_and_stay_live(start_server: Any) -> None:
    server: ServerProcess = start_server()
    set_variables(server, A="1")
    with SyncSocket(server.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=server.admin_key)
        client.modify(
            add(0, "_system/cli/queryEnvironmentVariables:default"),
            add(1, "_system/cli/queryEnvironmentVariables:get", name="A"),
            add(2, "_system/cli/queryEnvironmentVariables:get", name="B"),
        )
        client.until_result(1, lambda value: value == {"name": "A", "value": "1"})
        assert client.results[2] is None
        set_variables(server, A="2", B="3")
        client.until_result(1, lambda value: value == {"name": "A", "value": "2"})
        client.until_result(
            0, lambda value: [(v["name"], v["value"]) for v in value] == [("A", "2"), ("B", "3")]
        )


def test_without_its_key_a_server_does_not_start_and_loses_nothing(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"app.py": APP})
    set_variables(server, API_KEY=SECRET)
    server.stop()
    key = key_file(server).read_text()
    key_file(server).unlink()
    for env in ({}, {"CONVEXPY_SECRET_KEY": "another key, long enough to be one"}):
        ended = start_again(server, **env)
        error = json.loads(ended.stderr.strip().splitlines()[-1])["error"]
        assert (ended.returncode, error["code"]) == (1, "SecretKeyMissing")
        assert "API_KEY" in error["message"]
        assert SECRET not in ended.stderr
    assert not key_file(server).exists()
    assert json.loads(start_again(server, CONVEXPY_SECRET_KEY="short").stderr.splitlines()[-1])["error"][
        "code"
    ] == ("SecretKeyTooShort")
    key_file(server).write_text(key)
    server.start()
    assert server.call("query", "app:value", name="API_KEY") == SECRET


def test_the_key_may_come_from_the_environment_and_stays_out_of_functions(start_server: Any) -> None:
    server: ServerProcess = start_server(env={"CONVEXPY_SECRET_KEY": "k" * 40})
    server.push_ok({"app.py": APP})
    set_variables(server, API_KEY=SECRET)
    assert not key_file(server).exists()
    assert server.call("query", "app:value", name="CONVEXPY_SECRET_KEY") is None
    server.kill()
    server.start()
    assert server.call("query", "app:value", name="API_KEY") == SECRET


@pytest.mark.sqlite
def test_a_stored_value_cannot_be_moved_to_another_name(start_server: Any) -> None:
    server: ServerProcess = start_server()
    set_variables(server, ADMIN_TOKEN=SECRET, PUBLIC="x")
    server.stop()
    values = stored_values(server)
    assert replace_in_documents(server.data, values["PUBLIC"], values["ADMIN_TOKEN"]) == 1
    ended = start_again(server)
    assert ended.returncode == 1
    assert "PUBLIC was changed, or is of another deployment" in ended.stderr


@pytest.mark.sqlite
def test_values_from_before_encryption_are_read_and_sealed_at_the_next_start(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"app.py": APP})
    set_variables(server, API_KEY=SECRET)
    server.stop()
    key_file(server).unlink()
    assert replace_in_documents(server.data, stored_values(server)["API_KEY"], SECRET) == 1
    server.start()
    assert server.call("query", "app:value", name="API_KEY") == SECRET
    assert key_file(server).exists()
    server.stop()
    assert stored_values(server)["API_KEY"] != SECRET


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("1ST", "x", "EnvironmentVariableNameInvalid"),
        ("CONVEX_SITE_URL", "x", "EnvironmentVariableBuiltIn"),
        ("CONVEXPY_DEVELOPMENT", "1", "EnvironmentVariableBuiltIn"),
        ("BIG", "x" * 8193, "EnvironmentVariableValueTooLarge"),
    ],
)
def test_a_value_that_cannot_be_a_variable_is_refused_before_it_is_stored(
    module_server: ServerProcess, name: str, value: str, code: str
) -> None:
    body = {"changes": [{"name": "GOOD", "value": "y"}, {"name": name, "value": value}]}
    status, answer, _ = module_server.request("POST", "/api/update_environment_variables", body, admin=True)
    assert (status, answer["code"]) == (400, code)
    listed = module_server.request("GET", "/api/v1/list_environment_variables", admin=True)[1]
    assert listed["environmentVariables"] == {}


def test_only_a_development_server_says_that_it_is_one(server: ServerProcess, tmp_path: Path) -> None:
    production = ProductionServer(tmp_path / "production", env={"CONVEXPY_DEVELOPMENT": "1"})
    try:
        for each, seen in ((server, "1"), (production, None)):
            each.push_ok({"app.py": APP})
            assert each.call("query", "app:value", name="CONVEXPY_DEVELOPMENT") == seen
    finally:
        production.close()
