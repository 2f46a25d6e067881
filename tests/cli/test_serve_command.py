"""`convexpy serve`: from the flags to a server, and `keys create --data` as the way back in."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.postgres import PASSWORD, PostgresServer
from support.processes import wait_for
from typer.main import get_command

from convexpy_cli.serve import start
from convexpy_cli.serve.commands import app

Result = Any
ANY = ("--host", "127.0.0.1", "--port", "0", "--site-port", "0")
KEY = re.compile(r"[\w-]+\|[0-9a-f]{60,}")


class Served:
    """A `convexpy serve` that is ready."""

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.log = folder / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "convexpy_cli", "serve", *arguments],
                cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        assert self.first_line, self.log.read_text()

    @property
    def ready(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.first_line)
        return value

    def post(self, path: str, body: Any, key: str = "") -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Convex {key}"} if key else {})}
        request = urllib.request.Request(
            self.ready["url"] + path, None if body is None else json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=200) as response:
            return json.loads(response.read())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        with self.process.stdout:
            return self.process.wait(60)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: str, **options: Any) -> Served:
        started.append(Served(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def refused(tmp_path: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Return status and error of a `serve --json` that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "serve", "--json", "--data", str(tmp_path / "data"), *ANY, *arguments],
        cwd=tmp_path, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    error: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["exitCode"] == done.returncode
    return done.returncode, error


@pytest.mark.slow
def test_one_command_serves_a_folder_and_stops_cleanly(serve: Callable[..., Served], project: Path) -> None:
    served = serve(
        "--json", "--data", "data", *ANY, "--push", str(project / "convex"), "--name", "shop",
        "--print-admin-key", "--origin", "https://api.shop.example/",
    )  # fmt: skip
    ready = served.ready
    assert (ready["ready"], ready["name"]) == (True, "shop")
    assert ready["url"] == "https://api.shop.example"
    assert ready["siteUrl"] == "https://api.shop.example/http"
    key = ready["adminKey"]
    assert KEY.fullmatch(key)
    assert key not in served.log.read_text()
    assert served.process.pid == ready["pid"]  # signals of a service manager reach the server itself
    arguments = Path(f"/proc/{ready['pid']}/cmdline")
    assert not arguments.exists() or key.encode() not in arguments.read_bytes()
    assert served.stop() == 0
    again = serve("--json", "--data", "data", *ANY, "--print-admin-key")
    assert "adminKey" not in again.ready
    assert again.post("/api/query", {"path": "notes:list", "args": {}})["value"] == []
    wait_for(lambda: "shown at the first start" in again.log.read_text())
    with urllib.request.urlopen(
        urllib.request.Request(
            again.ready["url"] + "/api/check_admin_key", headers={"Authorization": f"Convex {key}"}
        )
    ) as response:
        assert json.loads(response.read())["kind"] == "admin"


@pytest.mark.slow
def test_variables_stand_for_flags(serve: Callable[..., Served], tmp_path: Path) -> None:
    env = {
        "CONVEXPY_SERVE_DATA": str(tmp_path / "elsewhere"),
        "CONVEXPY_SERVE_PORT": "0",
        "CONVEXPY_SERVE_SITE_PORT": "0",
        "CONVEXPY_SERVE_HOST": "127.0.0.1",
        "CONVEXPY_SERVE_NAME": "from-variables",
        "CONVEXPY_SERVE_WORKERS": "1",
        "CONVEXPY_SERVE_LOG_FORMAT": "human",
        "CONVEXPY_SERVE_ALLOW_ORIGIN": "https://a.example https://b.example",
        "CONVEXPY_SERVE_LOG_SINK": str(tmp_path / "sink.jsonl"),
        "CONVEXPY_SERVE_METRICS_PORT": "0",
    }
    served = serve("--json", env=env)
    assert served.ready["name"] == "from-variables"
    assert served.ready["metricsUrl"].endswith("/metrics")
    assert (tmp_path / "elsewhere" / "keys.json").exists()
    assert served.stop() == 0
    assert all(json.loads(line)["ts"] for line in (tmp_path / "sink.jsonl").read_text().splitlines())
    status, error = refused(tmp_path, env={"CONVEXPY_SERVE_WORKERS": "many"})
    assert (status, error["code"]) == (2, "UsageError")
    assert "CONVEXPY_SERVE_WORKERS" in error["message"]


@pytest.mark.slow
def test_the_first_key_is_shown_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "convexpy_cli", "serve", "--data", "data", *ANY],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    text = ""
    while "is ready" not in text:
        text += os.read(ours, 65536).decode()
    shown = KEY.findall(text)
    assert len(shown) == 1
    assert "shown this once" in text
    assert not (tmp_path / "data" / "admin-key").exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    os.close(ours)
    stored = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not any(shown[0].partition("|")[2].encode() in content for content in stored)


@pytest.mark.slow
def test_a_push_that_is_refused_ends_the_start_with_its_code(tmp_path: Path, project: Path) -> None:
    (project / "convex" / "notes.py").write_text("def broken(:\n")
    status, error = refused(tmp_path, "--push", str(project / "convex"))
    assert (status, error["code"]) == (7, "ModuleLoadFailed")
    assert error["location"] == {"file": "convex/notes.py", "line": 1, "column": 12}
    (project / "convex" / "notes.py").write_text("")
    (project / "convex" / "requirements.txt").write_text("--no-index\nsurely-not-there==1\n")
    status, error = refused(tmp_path, "--push", str(project))
    assert (status, error["code"]) == (7, "DependenciesFailed")
    assert "surely-not-there" in error["message"]


@pytest.mark.slow
def test_refusals_have_their_codes(tmp_path: Path, serve: Callable[..., Served]) -> None:
    served = serve("--json", "--data", "used", *ANY)
    port = served.ready["url"].rpartition(":")[2]
    assert refused(tmp_path, "--port", port)[0] == 10
    status, error = refused(tmp_path, "--data", "used")
    assert (status, error["code"]) == (10, "DataFolderInUse")
    (tmp_path / "file").touch()
    status, error = refused(tmp_path, "--data", "file")
    assert (status, error["code"]) == (3, "DataFolderUnusable")
    (tmp_path / "limits.toml").write_text("[limits]\nfile-byte = 1\n")
    status, error = refused(tmp_path, "--config", "limits.toml")
    assert (status, error["code"]) == (3, "ConfigInvalid")
    assert "file-bytes" in error["hint"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("--log-sink", "https://logs.example"), 12, "NotSupported"),
        (("--workers", "0"), 2, "UsageError"),
        (("--port", "70000"), 2, "UsageError"),
        (("--port", "3000", "--site-port", "3000"), 2, "UsageError"),
        (("--log-format", "xml"), 2, "UsageError"),
        (("--origin", "api.example.com"), 2, "UsageError"),
        (("--origin", "https://user:hunter2@api.example.com"), 2, "UsageError"),
        (("--allow-origin", "app.example.com"), 2, "UsageError"),
        (("--allow-origin", "https://app.example.com/path"), 2, "UsageError"),
        (("--allow-host", "https://app.example.com"), 2, "UsageError"),
        (("--allow-host", "app.example.com:443"), 2, "UsageError"),
        (("--trusted-proxy", "proxy.example"), 2, "UsageError"),
        (("--push", "none"), 3, "ProjectNotFound"),
        (("--timeout", "5"), 2, "UsageError"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(
    run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    status: int,
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("serve", "--json", *arguments, expect=status)
    assert result.error()["code"] == code
    assert "hunter2" not in result.stderr
    assert not (tmp_path / "convexpy-data").exists()


def parsed(line: str) -> dict[str, Any]:
    """The options of a command line of `serve`."""
    command = get_command(app)
    found: dict[str, Any] = command.make_context("serve", line.split()).params
    return found


def test_the_server_gets_what_was_asked_for() -> None:
    options = parsed(
        "--data=/d --host=::1 --port=1 --site-port=0 --origin=https://a.example --workers=3 --no-access-log "
        "--allow-origin=https://b.example --trusted-proxy=10.0.0.0/8 --no-function-log"
    )
    arguments = start.server_arguments(options, as_json=True, log_format="json")
    assert sorted(arguments) == sorted([
        "--production", "--data=/d", "--log-format=json", "--report=json", "--single-port", "--query-executors=3",
        "--host=::1", "--port=1", "--origin=https://a.example", "--redact-errors", "--allow-origin=https://b.example",
        "--trusted-proxy=10.0.0.0/8", "--metrics-host=127.0.0.1",
    ])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("running", [True, False])
def test_a_key_can_be_made_with_the_data_folder_alone(
    serve: Callable[..., Served], run: Any, tmp_path: Path, running: bool
) -> None:
    server = serve("--json", "--data", "data", *ANY)
    if not running:
        assert server.stop() == 0
    made = run("keys", "create", "back", "--kind", "admin", "--data", str(tmp_path / "data"), "--json").json()
    waiting = tmp_path / "data" / "new-keys"
    (file,) = waiting.iterdir()
    assert made["key"].partition("|")[2] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    if not running:
        server = serve("--json", "--data", "data", *ANY)
        assert not list(waiting.iterdir())
    listed = server.post("/api/convexpy/keys", None, made["key"])["keys"]
    assert [key["name"] for key in listed] == ["first", "back"]
    assert listed[1]["prefix"] == made["prefix"]
    wait_for(lambda: not list(waiting.iterdir()))
    assert server.stop() == 0
    again = serve("--json", "--data", "data", *ANY)
    assert again.post("/api/convexpy/keys", None, made["key"])["keys"][1]["kind"] == "admin"


def test_a_folder_without_a_deployment_makes_no_keys(run: Any, tmp_path: Path) -> None:
    result = run("keys", "create", "back", "--data", str(tmp_path), "--json", expect=3)
    assert result.error()["code"] == "DataFolderUnusable"
    assert not (tmp_path / "new-keys").exists()


@pytest.mark.slow
def test_the_address_of_a_database_is_not_on_the_servers_command_line(
    serve: Callable[..., Served], postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.secret_url()
    served = serve("--json", "--data", "data", *ANY, "--database", url)
    assert PASSWORD.encode() not in Path(f"/proc/{served.process.pid}/cmdline").read_bytes()
    schema = url.partition("?schema=")[2]
    assert postgres.query(f"SELECT count(*) FROM {schema}._lease") == [(1,)]
    status, error = refused(tmp_path, "--data", "data2", env={"CONVEXPY_DATABASE_URL": url})
    assert (status, error["code"]) == (10, "DatabaseInUse")
    assert served.stop() == 0
    assert PASSWORD not in served.log.read_text()
