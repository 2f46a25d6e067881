"""A production server, a project elsewhere that deploys to it, and a client that stays through deploys and restarts."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.live_clients import opened, shows, watching
from support.processes import ServerProcess

NOTES = """
from convexpy import mutation, query

@query
def list(ctx):
    return ["VERSION", *(note["text"] for note in ctx.db.query("notes"))]

@mutation
def add(ctx, text: str) -> None:
    ctx.db.insert("notes", {"text": text})
"""


def cli(folder: Path, *arguments: str, key: str = "", url: str = "") -> str:
    env = {**ServerProcess.environment(), "CONVEXPY_URL": url, "CONVEXPY_DEPLOY_KEY": key, "CI": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", *arguments],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def served(folder: Path, port: int) -> Iterator[dict[str, Any]]:
    """Run `convexpy serve` on this port; it must stop cleanly."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", "serve", "--json", "--data", "data", "--host", "127.0.0.1",
             "--port", str(port), "--site-port", "0", "--print-admin-key"],
            cwd=folder, env=ServerProcess.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        try:
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_clients_stay_through_a_deploy_and_a_restart(
    tmp_path: Path, browser: Any, node_clients: Path
) -> None:
    server, project = tmp_path / "server", tmp_path / "project"
    server.mkdir()
    (project / "convex").mkdir(parents=True)
    (project / "convexpy.toml").write_text('[project]\nname = "notes"\n')
    notes = project / "convex" / "notes.py"
    notes.write_text(NOTES.replace("VERSION", "one"))
    cli(project, "codegen")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with contextlib.ExitStack() as watch:
        with served(server, port) as ready:
            url, admin = ready["url"], ready["adminKey"]
            made = cli(project, "keys", "create", "ci", "--kind", "deploy", "--json", key=admin, url=url)
            deploy_key = json.loads(made)["key"]
            cli(project, "deploy", "--yes", key=deploy_key, url=url)
            until = watch.enter_context(watching(url))
            until(["one"])
            page = watch.enter_context(opened(browser, node_clients, tmp_path / "page", url))
            sockets = shows(page, ["one"])
            notes.write_text(NOTES.replace("VERSION", "two"))
            cli(project, "deploy", "--yes", key=deploy_key, url=url)
            until(["two"])
            assert shows(page, ["two"]) == sockets, "the deploy closed no socket"
        with served(server, port) as ready:
            assert "adminKey" not in ready
            cli(project, "run", "notes:add", "text=after", key=deploy_key, url=url)
            until(["two", "after"])
            assert shows(page, ["two", "after"]) > sockets, "it came back by itself, without a reload"
    log = (server / "log").read_text()
    assert deploy_key not in log
    assert admin not in log
