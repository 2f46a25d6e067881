"""Previews: servers of their own beside a deployment, kept over restarts, gone with it, removed by age."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.ports import free_ports
from support.processes import ServerProcess, wait_for

from convexpy.client import AdminClient, DeploymentError, PushFile
from convexpy.serve.options import ServeOptions
from convexpy.serve.preview_servers import ServerProcesses

pytestmark = pytest.mark.slow
StartServer = Callable[..., ServerProcess]
CODE = "from convexpy import mutation, query\n@query\ndef get(ctx):\n    return 'TEXT'\n@mutation\ndef add(ctx):\n    ctx.db.insert('t', {'n': 1})\n@query\ndef count(ctx):\n    return ctx.db.query('t').count()\n"


def claim(server: ServerProcess, name: str, **fields: Any) -> dict[str, Any]:
    """Claim a preview that must be given."""
    status, answer, _ = server.request(
        "POST", "/api/convexpy/previews/claim", {"name": name, **fields}, admin=True
    )
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def previews(server: ServerProcess) -> dict[str, dict[str, Any]]:
    """Return what is listed, by name."""
    listed = server.request("GET", "/api/convexpy/previews", admin=True)[1]["previews"]
    return {each["name"]: each for each in listed}


def push(preview: dict[str, Any], text: str) -> None:
    """Deploy to a preview."""
    content = CODE.replace("TEXT", text).encode()
    file = PushFile(hashlib.sha256(content).hexdigest(), content)
    client = AdminClient(preview["url"], preview["adminKey"])
    try:
        client.push({"fn.py": file}, {})
    finally:
        client.close()


def call(preview: dict[str, Any], kind: str, path: str) -> Any:
    """Call a function of a preview, as anybody can."""
    body = json.dumps({"path": path, "args": {}, "format": "json"}).encode()
    request = urllib.request.Request(
        f"{preview['url']}/api/{kind}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["value"]


@pytest.fixture
def host(start_server: StartServer) -> ServerProcess:
    """A server that hosts previews on two ports."""
    return start_server("--previews", free_ports(2))


def test_a_preview_is_a_deployment_of_its_own(host: ServerProcess) -> None:
    host.push_ok({"fn.py": CODE.replace("TEXT", "main")})
    host.call("mutation", "fn:add")
    first = claim(host, "pr-1", actor="Ada")
    assert first["created"] is True
    push(first, "one")
    second = claim(host, "pr-2")
    push(second, "two")
    assert host.call("query", "fn:get") == "main"
    assert (call(first, "query", "fn:get"), call(second, "query", "fn:get")) == ("one", "two")
    call(first, "mutation", "fn:add")
    call(first, "mutation", "fn:add")
    assert (host.call("query", "fn:count"), call(first, "query", "fn:count")) == (1, 2)
    assert call(second, "query", "fn:count") == 0
    listed = previews(host)
    assert {name: each["state"] for name, each in listed.items()} == {"pr-1": "running", "pr-2": "running"}
    assert listed["pr-1"]["actor"] == "Ada"
    status, answer, _ = host.request("POST", "/api/convexpy/previews/claim", {"name": "pr-3"}, admin=True)
    assert (status, answer["code"]) == (409, "TooManyPreviews")
    # The key of one opens no other, nor the deployment.
    for url in (second["url"], host.url):
        client = AdminClient(url, first["adminKey"])
        with pytest.raises(DeploymentError, match="key"):
            client.check_key()
        client.close()
    # No key is left in a file.
    folder = host.data.with_name(f"{host.data.name}.previews")
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_size < 1_000_000:
            assert first["adminKey"].encode() not in file.read_bytes(), file
    assert not list(folder.rglob("admin-key"))
    assert stat.S_IMODE((folder / "pr-1" / "data").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads the environment of a server")
def test_the_server_of_a_preview_is_given_nothing_of_the_deployments_own(
    start_server: StartServer, tmp_path: Path
) -> None:
    own = {"CONVEXPY_SECRET_KEY": "s" * 64, "NOTIFY_SOCKET": str(tmp_path / "notify"), "SHARED": "yes"}
    host = start_server("--previews", free_ports(1), env=own)
    claim(host, "pr-1")
    pid = server_of(host.data.with_name(f"{host.data.name}.previews") / "pr-1" / "data")
    given = dict(
        line.split("=", 1) for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in line
    )
    assert given["SHARED"] == "yes"
    assert not given.keys() & {"CONVEXPY_SECRET_KEY", "NOTIFY_SOCKET", "CONVEXPY_DATABASE_URL"}


def test_it_is_the_same_after_a_restart_and_again_empty_if_asked(host: ServerProcess) -> None:
    first = claim(host, "pr-1")
    push(first, "one")
    call(first, "mutation", "fn:add")
    host.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        call(first, "query", "fn:count")
    host.start()
    wait_for(lambda: previews(host)["pr-1"]["state"] == "running", what="the preview")
    assert call(first, "query", "fn:count") == 1
    again = claim(host, "pr-1")
    assert (again["created"], again["url"]) == (False, first["url"])
    for preview in (first, again):
        client = AdminClient(preview["url"], preview["adminKey"])
        client.check_key()
        client.close()
    fresh = claim(host, "pr-1", recreate=True)
    assert fresh["created"] is True
    push(fresh, "new")
    assert call(fresh, "query", "fn:count") == 0


def test_its_server_is_started_again_when_killed_and_ends_with_the_host(host: ServerProcess) -> None:
    preview = claim(host, "pr-1")
    push(preview, "one")
    data = host.data.with_name(f"{host.data.name}.previews") / "pr-1" / "data"
    pid = server_of(data)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server_of(data) not in (0, pid), what="another server")
    wait_for(lambda: previews(host)["pr-1"]["state"] == "running", what="the preview")
    assert call(preview, "query", "fn:get") == "one"
    host.kill()
    wait_for(lambda: server_of(data) == 0, what="the end of the preview with its host")
    host.start()
    wait_for(lambda: previews(host)["pr-1"]["state"] == "running", what="the preview")
    assert call(preview, "query", "fn:get") == "one"


def server_of(data: Path) -> int:
    """Return the process of the server of a data folder, 0 if there is none."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--data={data}".encode() in words and b"convexpy.serve" in words:
            return int(process.name)
    return 0


def test_it_is_removed_by_age_and_by_name(host: ServerProcess) -> None:
    soon = claim(host, "soon", expiresS=0.5)
    assert soon["expiresAt"] < time.time() * 1000 + 60_000
    claim(host, "other")
    folder = host.data.with_name(f"{host.data.name}.previews")
    host.stop()
    host.start()  # what has expired is removed at the start, and looked for every minute
    wait_for(lambda: "soon" not in previews(host), what="the end of the preview")
    wait_for(lambda: not (folder / "soon").exists(), what="the end of its data")
    answer = host.request("POST", "/api/convexpy/previews/remove", {"name": "other"}, admin=True)
    assert (answer[0], answer[1]["name"]) == (200, "other")
    assert not (folder / "other").exists()
    assert server_of(folder / "other" / "data") == 0
    again = host.request("POST", "/api/convexpy/previews/remove", {"name": "other"}, admin=True)
    assert (again[0], again[1]["code"]) == (404, "PreviewNotFound")


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "a" * 41, "preview name"])
def test_names_that_could_leave_their_folder_are_refused(host: ServerProcess, name: str) -> None:
    status, answer, _ = host.request("POST", "/api/convexpy/previews/claim", {"name": name}, admin=True)
    assert (status, answer["code"]) == (400, "BadPreviewName")


def test_who_may_make_one(host: ServerProcess) -> None:
    for kind, allowed in (("preview", True), ("deploy", True), ("read-only", False)):
        made = host.request("POST", "/api/convexpy/keys", {"name": kind, "kind": kind}, admin=True)[1]
        client = AdminClient(host.url, made["key"])
        if allowed:
            assert client.claim_preview("pr-1").name == "pr-1"
        else:
            with pytest.raises(DeploymentError, match="permission"):
                client.claim_preview("pr-1")
        if kind == "preview":
            with pytest.raises(DeploymentError, match="permission"):
                client.environment()
            with pytest.raises(DeploymentError, match="permission"):
                client.push({}, {})
        client.close()
    assert host.request("POST", "/api/convexpy/previews/claim", {"name": "x"})[0] == 403


def test_a_server_that_hosts_none_says_how(server: ServerProcess) -> None:
    status, answer, _ = server.request("POST", "/api/convexpy/previews/claim", {"name": "x"}, admin=True)
    assert (status, answer["code"]) == (501, "PreviewsUnsupported")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--previews", "x"], "not a range of ports"),
        (["--previews", "9-3"], "not a range of ports"),
        (["--preview-origin", "https://{name}.example.com"], "without --previews"),
        (["--previews", "3300", "--origin", "https://api.example.com"], "how do browsers reach"),
        (["--previews", "3300", "--preview-origin", "https://example.com"], "not an origin with"),
        (["--previews", "3300", "--preview-origin", "https://{pod}.example.com"], "other fields"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(
    tmp_path: Path, arguments: list[str], text: str
) -> None:
    ended = subprocess.run(
        ServerProcess.command(tmp_path / "data", "--port", "0", "--single-port", *arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    error = json.loads(ended.stderr)["error"]
    assert (ended.returncode, error["code"]) == (3, "ConfigInvalid")
    assert text in error["message"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "http://127.0.0.1:3300"),
        ({"host": "::1"}, "http://[::1]:3300"),
        ({"origin": "http://api.example.com:8080"}, "http://api.example.com:3300"),
        ({"preview_origin": "https://{name}-{port}.example.com"}, "https://pr-1-3300.example.com"),
        ({"tls_cert": Path("c"), "origin": "https://api.example.com"}, "https://api.example.com:3300"),
    ],
)
def test_public_urls_follow_the_origin_or_the_template(options: dict[str, Any], url: str) -> None:
    servers = ServerProcesses(ServeOptions(data=Path("data"), previews="3300", **options))
    assert servers.urls("pr-1", 3300) == (url, f"{url}/http")
