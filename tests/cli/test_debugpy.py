"""`convexpy dev --debugpy PORT`, with an editor's side of the Debug Adapter Protocol."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from support.debug_adapter import Editor

from convexpy.client import AdminClient
from convexpy.project import LocalDeployment, open_project
from convexpy_cli.context import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="process groups")]

STOPS = """
from ._generated.server import ActionCtx, MutationCtx, QueryCtx, action, mutation, query


@query
def look(ctx: QueryCtx, name: str) -> str:
    text = name.upper()
    return text + "!"


@mutation
def write(ctx: MutationCtx, text: str) -> int:
    ctx.db.insert("notes", {"text": text})
    return 1


@action
async def act(ctx: ActionCtx, n: int) -> int:
    doubled = n * 2
    return doubled


@query
def own(ctx: QueryCtx) -> int:
    breakpoint()
    return 3
"""
CALLS: tuple[tuple[str, dict[str, Any], int, str, str, Any], ...] = (
    ("stops:look", {"name": "ann"}, 8, "text", "'ANN'", "ANN!"),
    ("stops:write", {"text": "x"}, 13, "text", "'x'", 1),
    ("stops:act", {"n": 4}, 20, "doubled", "8", 8),
    ("stops:own", {}, 26, "1 + 1", "2", 3),
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_an_editor_stops_in_queries_mutations_and_actions(project: Path, background: Any) -> None:
    local = LocalDeployment(open_project(project))
    local.prepare()
    local.remember_ports(free_port(), free_port())
    file = project / "convex" / "stops.py"
    file.write_text(STOPS)
    port = free_port()
    dev = background(project, "dev", "--json", "--typecheck", "disable", "--debugpy", str(port))
    assert dev.until("waitingForDebugger")["address"] == f"127.0.0.1:{port}"
    held = local.holder()
    assert held is not None
    assert held.port == 0  # nothing is served before somebody attaches
    editor = Editor(port, {file: [line for _, _, line, *_ in CALLS[:3]]})
    dev.until("pushed")
    holder = local.holder()
    assert holder is not None
    try:
        for path, args, line, name, shown, value in CALLS:
            client = AdminClient(f"http://127.0.0.1:{holder.port}", local.admin_key())
            got: list[Any] = []
            call = threading.Thread(
                target=lambda c=client, p=path, a=args, g=got: g.append(c.call(p, a).value)
            )
            call.start()
            session, thread, frame = editor.wait_until_stopped()
            assert (frame["source"]["path"], frame["line"]) == (str(file), line)
            evaluated = session.ask("evaluate", expression=name, frameId=frame["id"], context="repl")
            assert evaluated["result"] == shown
            session.ask("continue", threadId=thread)
            call.join(60)
            client.close()
            assert got == [value]
    finally:
        editor.close()
    # Nobody is there: functions run through, and so do those of a push. Who comes back finds them again.
    client = AdminClient(f"http://127.0.0.1:{holder.port}", local.admin_key())
    assert client.call("stops:look", {"name": "bob"}).value == "BOB!"
    file.write_text(STOPS.replace('"!"', '"?"'))
    dev.until("pushed")
    assert client.call("stops:look", {"name": "bob"}).value == "BOB?"
    again = Editor(port, {file: [8]})
    try:
        wait_for(lambda: True if len(again.ready) >= 2 else None, 20.0)
        got = []
        call = threading.Thread(target=lambda: got.append(client.call("stops:look", {"name": "eve"}).value))
        call.start()
        session, thread, _ = again.wait_until_stopped()
        session.ask("continue", threadId=thread)
        call.join(60)
        assert got == ["EVE?"]
    finally:
        again.close()
        client.close()
    dev.process.send_signal(2)
    assert dev.process.wait(60) == 130
    assert wait_for(lambda: True if _is_free(port) else None, 10.0)


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_a_taken_port_is_said(project: Path, run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = run("dev", "--json", "--debugpy", str(port), expect=10).error()
    assert (error["code"], str(port) in error["message"]) == ("PortInUse", True)
    assert run("dev", "--json", "--debugpy", str(port), "--no-push", expect=2)


def test_ctrl_c_while_it_waits_ends_it(project: Path, background: Any) -> None:
    port = free_port()
    dev = background(project, "dev", "--json", "--debugpy", str(port))
    dev.until("waitingForDebugger")
    dev.process.send_signal(2)
    assert dev.process.wait(60) == 130
    assert LocalDeployment(open_project(project)).holder() is None
    assert wait_for(lambda: True if _is_free(port) else None, 10.0)


def test_without_the_package_it_says_what_to_install(
    project: Path, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "debugpy.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'none'}{os.pathsep}{os.environ['PYTHONPATH']}")
    error = run("dev", "--json", "--debugpy", str(free_port()), expect=3).error()
    assert (error["code"], error["hint"]) == ("DebugpyMissing", "pip install 'convexpy[debug]'")
