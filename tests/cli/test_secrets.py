"""Secrets stay where they are meant to be: none in output, reports, logs or what other users of the machine can list.

`test_every_command.py` looks for the key of a deployment and values of variables in all that the commands say; here are the
ways out that are not commands' own.
"""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.production import ProductionServer

from convexpy_cli.output import masking

PASSWORD = "pass-word-of-a-url"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgres://app:{PASSWORD}@db:5432/app", "postgres://…@db:5432/app"),
        (f"--index-url=https://{PASSWORD}@packages.example/simple", "--index-url=https://…@packages.example/simple"),
        (f"https://user:{PASSWORD}@with-at@host/x", "https://…@host/x"),
        ("https://host/path@2?to=me@example.com", "https://host/path@2?to=me@example.com"),
        ('{"Authorization": "Bearer abc.def.ghi"}', '{"Authorization": "Bearer …'),
        ("Authorization: Convex app|0123456789abcdef01", "Authorization: Convex …"),
        ("the key app|0123456789abcdef01 is wrong", "the key app|… is wrong"),
        ("a|b and 3|4", "a|b and 3|4"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert masking.mask(text) == shown


def test_a_report_of_a_bug_holds_no_values(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".convexpy").mkdir()
    words = ["--url", "http://127.0.0.1:9", "--admin-key", "a key of no known form"]
    words += ["env", "set", "NAME", "value-that-nobody-sees", "--env-file=.env.private"]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no Authorization: Convex a-key-of-no-known-form")

    monkeypatch.setattr("convexpy_cli.context.Context.connected", broken)
    shown = run(*words, "--debug", expect=70).stderr
    report = next((project / ".convexpy" / "crash").iterdir())
    text = report.read_text()
    assert "command: convexpy env set --env-file --debug\n" in text
    for secret in ("value-that-nobody-sees", "a key of no", "a-key-of-no", ".env.private"):
        assert secret not in text + shown
    assert report.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("where", ["flag", "variable", "configuration", "login"])
def test_a_url_with_a_password_is_refused_and_not_shown(
    where: str, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://someone:{PASSWORD}@127.0.0.1:9"
    words, status = ["status", "--json"], 3
    if where == "flag":
        words += ["--url", url, "--admin-key", "app|0123456789abcdef01"]
    elif where == "variable":
        monkeypatch.setenv("CONVEXPY_URL", url)
        monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", "app|0123456789abcdef01")
    elif where == "configuration":
        (project / "convexpy.toml").write_text(f'[project]\nname = "app"\n[deployments.lab]\nurl = "{url}"\n')
        words += ["-d", "lab"]
        listed = run("deployment", "list", "--json")
        assert "lab" in listed.stdout
        assert PASSWORD not in listed.stdout + listed.stderr
    else:
        words, status = ["login", url, "--json"], 2
    ended = run(*words, "--debug", expect=status)
    assert "user name" in ended.error()["message"]
    assert PASSWORD not in ended.stderr


LEAKY = """
from convexpy import query


@query
def fails(ctx) -> None:
    token = "local-" + "of-a-frame"
    raise ValueError("no luck")


@query
def crashes(ctx) -> str:
    token = {"k": "local-" + "of-a-frame"}
    return token["missing"]
"""


def command_lines_of_descendants(pid: int) -> str:
    """What `ps` shows of a process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = "", [pid]
    while todo:
        each = todo.pop()
        todo += parents.get(each, [])
        try:
            found += Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode() + "\n"
        except OSError:
            continue
    return found


@pytest.fixture
def production(tmp_path: Path) -> Iterator[ProductionServer]:
    server = ProductionServer(
        tmp_path / "data", "--access-log", "--function-log", "--log-format=json", f"--log-sink={tmp_path / 'sink.jsonl'}",
        interpreter=True,
    )  # fmt: skip
    yield server
    server.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_server_keeps_keys_headers_and_locals_out_of_its_logs(
    production: ProductionServer, tmp_path: Path
) -> None:
    server = production
    secret = server.admin_key.partition("|")[2]
    server.push_ok({"leaky.py": LEAKY})
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": "Bearer secret-of-a-header", "Cookie": "session=secret-of-a-cookie"}
    for path in ("/api/query?token=secret-of-a-query", "/nowhere?key=secret-of-a-query"):
        connection.request("POST", path, b'{"path": "leaky:fails", "args": {}}', headers)
        connection.getresponse().read()
    connection.close()
    answers = ""
    for name in ("fails", "crashes"):
        status, answer, _ = server.request(
            "POST", "/api/function", {"path": f"leaky:{name}", "args": {}}, admin=True
        )
        assert status in (200, 560)
        answers += json.dumps(answer)
    seen = server.request("GET", "/api/stream_function_logs?cursor=0", admin=True)
    server.request(
        "POST",
        "/api/update_environment_variables",
        {"changes": [{"name": "A", "value": "value-of-a-variable"}]},
        admin=True,
    )
    listed = command_lines_of_descendants(server.process.pid)
    assert "convexpy" in listed
    server.close()
    text = answers + json.dumps(seen) + listed + server.errors() + (tmp_path / "sink.jsonl").read_text()
    assert '"type":"access"' in text.replace(" ", "")
    for planted in (
        secret, "secret-of-a-header", "secret-of-a-cookie", "secret-of-a-query", "local-of-a-frame", "value-of-a-variable",
    ):  # fmt: skip
        assert planted not in text, planted


@pytest.mark.slow
def test_an_index_with_a_password_is_not_shown_when_it_fails(
    run: Any, project: Path, production: ProductionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = f"http://someone:{PASSWORD}@127.0.0.1:9/simple"
    (project / "convex" / "requirements.txt").write_text(f"--index-url {index}\nnot-a-package-anywhere==1\n")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("CONVEXPY_URL", production.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", production.admin_key)
    ended = run("deploy", "--yes", "--typecheck", "disable", "--json", "--debug", expect=7)
    assert ended.error()["code"] == "DependenciesFailed"
    production.close()
    assert PASSWORD not in ended.stdout + ended.stderr + production.errors()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_dev_keeps_the_key_to_itself(background: Any, project: Path) -> None:
    (project / ".env.dev").write_text("SECRET=value-that-nobody-sees\n")
    words = (
        "dev",
        "--json",
        "-v",
        "--debug",
        "--typecheck",
        "disable",
        "--port",
        "0",
        "--site-port",
        "0",
        "--env-from",
        ".env.dev",
    )
    dev = background(project, *words)
    dev.until("pushed")
    state = project / ".convexpy" / "local" / "default"
    keys = json.loads(next(state.rglob("keys.json")).read_text())
    listed = command_lines_of_descendants(dev.process.pid)
    assert listed.count("\n") > 1  # the server is there, too
    dev.process.send_signal(signal.SIGINT)
    output = json.dumps(dev.events) + "".join(dev.process.communicate(timeout=200))
    logs = [file.read_text(errors="replace") for file in project.rglob("*.log") if file.is_file()]
    assert logs
    for secret in (keys["adminKey"].partition("|")[2], keys["instanceSecret"], "value-that-nobody-sees"):
        assert secret not in output + listed + "".join(logs)
    kept = [
        file
        for file in project.rglob("*")
        if file.is_file() and keys["instanceSecret"].encode() in file.read_bytes()
    ]
    assert [file.name for file in kept] == ["keys.json"]
    assert kept[0].stat().st_mode & 0o077 == 0
