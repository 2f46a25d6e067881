"""`dev`, `run`, `env` and the rest against the real server, as a developer uses them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from convexpy.client import AdminClient
from convexpy.project import LocalDeployment, open_project, process_start_time, read_env_file
from convexpy_cli.context import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals and process groups")]

DEV = ("dev", "--json", "--typecheck", "disable")


@pytest.fixture
def ports(project: Path) -> None:
    """Ports of this test's own: others run beside it."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        pair = (first.getsockname()[1], second.getsockname()[1])
    local = LocalDeployment(open_project(project))
    local.prepare()
    local.remember_ports(*pair)


def client_of(project: Path, url: str) -> AdminClient:
    return AdminClient(url, LocalDeployment(open_project(project)).admin_key())


def is_gone(pid: int) -> bool:
    return wait_for(lambda: True if process_start_time(pid) is None else None, 10.0) is True


def test_once_pushes_generates_and_leaves_nothing_running(run: Any, project: Path, ports: None) -> None:
    result = run(*DEV, "--once", "--run", "notes:add text=seeded")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    # The last three run beside each other.
    names = [each["event"] for each in events if each["event"] != "log"]
    assert (names[:3], sorted(names[3:])) == (
        ["server", "roundStarted", "pushed"],
        ["codegen", "ran", "stopped"],
    )
    assert len(next(each for each in events if each["event"] == "codegen")["written"]) == 5
    assert is_gone(next(each for each in events if each["event"] == "server")["pid"])
    assert not (project / ".convexpy" / "local" / "default" / "lock.json").exists()
    assert read_env_file(project / ".env.local")["CONVEX_URL"].startswith("http://127.0.0.1:")

    assert run("codegen", "--check", "--json").json() == {"written": [], "stale": []}
    assert run("run", "notes:list", "--json").json() == ["seeded"]
    assert "[LOG] listing" in run("run", "notes.list").stderr
    assert run("run", "notes:count").stdout == "1\n"
    failed = run("run", "notes:add", "text=", "--json", expect=1).error()
    assert failed["code"] == "FunctionFailed"
    assert "empty" in failed["message"]
    assert run("run", "notes:lst", expect=2).stderr.count("notes:list") == 1


def test_code_that_does_not_import_is_exit_7_with_its_place(run: Any, project: Path, ports: None) -> None:
    (project / "convex" / "bad.py").write_text("x = 1\ndef f(:\n")
    error = run(*DEV, "--once", expect=7).stderr
    shown = json.loads(error.strip().splitlines()[-1])["error"]
    assert (shown["code"], shown["exitCode"]) == ("ModuleLoadFailed", 7)
    assert (shown["location"]["file"], shown["location"]["line"]) == ("convex/bad.py", 2)


def test_a_save_goes_live_an_error_stops_nothing_and_ctrl_c_leaves_130(
    project: Path, ports: None, background: Any
) -> None:
    dev = background(project, *DEV)
    server = dev.until("server")
    dev.until("pushed")
    client = client_of(project, server["url"])
    assert client.call("notes:list", {}).value == []

    notes = project / "convex" / "notes.py"
    good = notes.read_text()
    dev.until("codegen")
    notes.write_text(good.replace("return [note", "return ['first'] + [note"))
    assert dev.until("pushed")["changes"]
    assert client.call("notes:list", {}).value == ["first"]

    notes.write_text("def broken(:\n")
    failed = dev.until("pushFailed")
    assert (failed["retryOn"], failed["error"]["location"]["line"]) == ("files", 1)
    assert client.call("notes:list", {}).value == ["first"]

    notes.write_text(good)
    dev.until("pushed")
    assert client.call("notes:list", {}).value == []
    client.close()

    dev.process.send_signal(signal.SIGINT)
    dev.until("stopped")
    assert dev.process.wait(60) == 130
    assert is_gone(server["pid"])
    assert dev.process.stderr is not None
    assert "KeyboardInterrupt" not in dev.process.stderr.read()


def test_nothing_is_pushed_for_a_touch_or_a_generated_file(
    project: Path, ports: None, background: Any
) -> None:
    dev = background(project, *DEV)
    dev.until("pushed")
    dev.until("codegen")
    os.utime(project / "convex" / "notes.py")
    copy = project / "convex" / ".notes.py.tmp"
    copy.write_text((project / "convex" / "notes.py").read_text())
    copy.replace(project / "convex" / "notes.py")
    (project / "convex" / "_generated" / "api.pyi").write_text("# edited\n")
    (project / "convex" / "test_x.py").write_text("")
    # The next round must be the one of this change, and the second of all.
    (project / "convex" / "more.py").write_text("X = 1\n")
    started = dev.until("roundStarted")
    assert (started["round"], started["cause"]) == (2, "more.py")


def test_a_second_dev_names_the_first_and_other_commands_attach(
    run: Any, project: Path, ports: None, background: Any
) -> None:
    dev = background(project, *DEV)
    server = dev.until("server")
    dev.until("pushed")
    error = json.loads(run(*DEV, expect=10).stderr.strip().splitlines()[-1])["error"]
    assert (error["code"], error["data"]["pid"]) == ("DevAlreadyRunning", dev.process.pid)
    shown = run("deployment", "show", "--json").json()
    assert (shown["url"], bool(shown["serverVersion"])) == (server["url"], True)
    run("run", "notes:add", "text=hi")
    assert run("run", "notes:list").stdout == '["hi"]\n'
    assert "notes:list log: listing" in run("logs").stdout.replace("] ", " ")
    assert "The local server is running on port " in run().stdout


def test_killing_dev_takes_the_server_along(project: Path, ports: None, background: Any) -> None:
    dev = background(project, *DEV)
    server = dev.until("server")
    dev.until("pushed")
    dev.process.kill()
    dev.process.wait()
    assert is_gone(server["pid"])
    # The lock that stays behind is stale, so the next one starts.
    again = background(project, *DEV)
    again.until("pushed")


def test_a_busy_port_moves_when_it_is_ours_to_choose_and_is_exit_10_when_named(
    run: Any, project: Path, ports: None
) -> None:
    local = LocalDeployment(open_project(project))
    remembered = local.remembered_ports()
    assert remembered is not None
    with socket.create_server(("127.0.0.1", remembered[0])):
        result = run(*DEV, "--once", "--port", str(remembered[0]), expect=10)
        error = json.loads(result.stderr.strip().splitlines()[-1])["error"]
        assert (error["code"], error["data"]["port"]) == ("PortInUse", remembered[0])
        assert "--port" in error["hint"]
        run(*DEV, "--once")
    with socket.create_server(("127.0.0.1", remembered[1])):
        both = ("--port", str(remembered[0]), "--site-port", str(remembered[1]))
        result = run(*DEV, "--once", *both, expect=10)
        assert "--site-port" in json.loads(result.stderr.strip().splitlines()[-1])["error"]["hint"]
    moved = local.remembered_ports()
    assert moved is not None
    assert moved != remembered
    assert read_env_file(project / ".env.local")["CONVEX_URL"] == f"http://127.0.0.1:{moved[0]}"


def test_the_companion_gets_the_url_and_its_end_is_ours(project: Path, ports: None, background: Any) -> None:
    script = "import os, sys; open('url', 'w').write(os.environ['CONVEX_URL']); sys.exit(5)"
    dev = background(project, *DEV, "--start", f'{sys.executable} -c "{script}"')
    server = dev.until("server")
    assert dev.until("stopped")["exitCode"] == 5
    assert dev.process.wait(60) == 5
    assert (project / "url").read_text() == server["url"]


def test_variables_survive_every_way_in_and_out(run: Any, project: Path, ports: None, tmp_path: Path) -> None:
    pem = "-----BEGIN KEY-----\n\"a'b\\ #$ü\n-----END KEY-----"
    (tmp_path / "key.pem").write_text(pem + "\n")
    run("env", "set", "KEY", "--from-file", str(tmp_path / "key.pem"))
    run("env", "set", "PLAIN=value")
    assert run("env", "get", "KEY").stdout == pem + "\n"
    listed = run("env", "list")
    assert "KEY" in listed.stdout
    assert "BEGIN" not in listed.stdout
    revealed = tmp_path / "all.env"
    revealed.write_text(run("env", "list", "--reveal").stdout)
    changed = run("env", "set", "--from-file", str(revealed), "--json").json()
    assert changed == {"added": [], "changed": [], "unchanged": ["KEY", "PLAIN"], "removed": []}
    (tmp_path / "other.env").write_text("PLAIN=new\nCONVEX_URL=http://x\n")
    refused = run("env", "set", "--from-file", str(tmp_path / "other.env"), "--json", expect=9).error()
    assert refused["data"]["changed"] == ["PLAIN"]
    run("env", "set", "--from-file", str(tmp_path / "other.env"), "--replace-existing")
    assert run("env", "remove", "KEY", "NOT_THERE", "--json").json()["removed"] == ["KEY"]
    assert run("env", "list", "--names-only").stdout == "PLAIN\n"
    assert run("env", "get", "KEY", expect=1).stderr.startswith("error[EnvNotSet]")


def test_a_watched_query_prints_every_change(run: Any, project: Path, ports: None, background: Any) -> None:
    dev = background(project, *DEV)
    dev.until("pushed")
    watching = subprocess.Popen(
        [sys.executable, "-m", "convexpy_cli", "run", "notes:list", "--watch", "--json"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline()) == []
        run("run", "notes:add", "text=one")
        assert json.loads(watching.stdout.readline()) == ["one"]
    finally:
        watching.terminate()
        watching.communicate()


def test_keys_are_made_once_listed_never_and_revoked_with_consent(
    run: Any, project: Path, ports: None, background: Any
) -> None:
    background(project, *DEV).until("pushed")
    made = run("keys", "create", "ci", "--expires", "90d")
    key = made.stdout.strip()
    assert (key.count("|"), "\n" in key) == (1, False)
    assert key.partition("|")[2] not in made.stderr
    listed = run("keys", "list", "--json")
    assert [(each["name"], each["kind"]) for each in listed.json()] == [("first", "admin"), ("ci", "deploy")]
    assert key not in listed.stdout
    url = read_env_file(project / ".env.local")["CONVEX_URL"]

    # The new key pushes nothing that it may not: its kind reads no variables.
    target = ("--url", url, "--admin-key", key)
    assert run(*target, "run", "notes:count").stdout == "0\n"
    error = run(*target, "env", "get", "ANY", "--json", expect=5).error()
    assert (error["code"], key in json.dumps(error)) == ("KeyKindForbidden", False)
    assert run(*target, "keys", "list", "--json", expect=5).error()["code"] == "KeyKindForbidden"

    run("keys", "create", "mine", "--kind", "admin", "--save-env", "ci.env")
    mine = read_env_file(project / "ci.env")["CONVEXPY_DEPLOY_KEY"]
    as_mine = ("--url", url, "--admin-key", mine)
    assert run(*as_mine, "keys", "revoke", "mine", "--json", expect=9).error()["code"] == "ConsentRequired"
    assert run(*as_mine, "keys", "revoke", "ci", "--json").json()["name"] == "ci"
    assert run(*target, "run", "notes:count", "--json", expect=5).error()["code"] == "KeyRejected"
    run(*as_mine, "--allow=key-revoke", "keys", "revoke", "mine")
    assert run("keys", "revoke", "ci", "--json", expect=2).error()["code"] == "KeyNotFound"
    assert run("keys", "create", "x", "--kind", "root", "--json", expect=2).error()["code"] == "UsageError"
    assert run("keys", "create", "x", "--expires", "soon", "--json", expect=2).error()["code"] == "UsageError"


def test_hosts_and_pages_are_named_by_flag_variable_and_file_and_refusals_are_shown(
    project: Path, ports: None, background: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEXPY_DEV_ALLOW_ORIGIN", "https://a.example https://b.example")
    with (project / "convexpy.toml").open("a") as file:
        file.write('\n[dev]\nallow-host = ["file.example"]\n')
    dev = background(project, *DEV)
    url = urlsplit(dev.until("server")["url"])
    headers = {
        "b.example page": {"Origin": "https://b.example"},
        "file.example": {"Host": "file.example"},
        "c.example page": {"Origin": "https://c.example"},
    }
    statuses: list[int] = []
    for each in headers.values():
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=200)
        connection.request("GET", "/version", headers=each)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [200, 200, 403]
    dev.process.send_signal(signal.SIGINT)
    _, said = dev.process.communicate(timeout=200)
    assert "--allow-origin https://c.example" in said
