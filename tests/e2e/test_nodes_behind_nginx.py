"""Two nodes behind nginx, as docs/scaling.md configures it: a rolling restart is a reconnect to clients, and no more."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.live_clients import opened, shows, watching
from support.nginx import running_nginx
from support.nodes import nodes_of
from support.postgres import PostgresServer
from support.processes import ROOT, ServerProcess, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed here"),
]
NOTES = """
from convexpy import mutation, query

@query
def list(ctx):
    return [note["text"] for note in ctx.db.query("notes")]

@mutation
def add(ctx, text: str) -> None:
    ctx.db.insert("notes", {"text": text})
"""


@contextlib.contextmanager
def nginx(folder: Path, nodes: list[ServerProcess]) -> Iterator[str]:
    """Run nginx in front of the nodes, with the configuration of the documentation but for names and TLS."""
    page = (ROOT / "docs" / "scaling.md").read_text()
    (site,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    servers = "".join(f"server 127.0.0.1:{node.port} max_fails=0;" for node in nodes)
    site = re.sub(r"(server 10\.0\.0\.\d:3210 max_fails=0;\s*)+", servers, site)
    with running_nginx(folder, site, port):
        yield f"http://127.0.0.1:{port}"


def test_a_rolling_restart_is_a_reconnect(
    tmp_path: Path, postgres: PostgresServer, browser: Any, node_clients: Path
) -> None:
    with nodes_of(tmp_path, postgres) as start_node, contextlib.ExitStack() as clients:
        nodes = [start_node("a")]
        nodes[0].push_ok({"notes.py": NOTES})
        nodes.append(start_node("b"))
        url = clients.enter_context(nginx(tmp_path / "nginx", nodes))
        wait_for(lambda: answers(url), what="nginx")
        until = clients.enter_context(watching(url))
        page = clients.enter_context(opened(browser, node_clients, tmp_path / "page", url))
        notes: list[str] = []
        until(notes)
        shows(page, notes)
        for node in (nodes[0], nodes[1], nodes[0]):
            assert node.stop() == 0
            notes.append(f"note {len(notes)}")
            page.evaluate("(text) => client.mutation(convex.anyApi.notes.add, { text })", notes[-1])
            until(notes)
            shows(page, notes)
            node.start()


def answers(url: str) -> bool:
    """Whether something listens at an address."""
    host, _, port = url.removeprefix("http://").partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
        return True
    return False
