"""`breakpoint()` under `convexpy dev`, at a terminal: prompts and commands, the log held back, Ctrl-C while paused."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.terminal import Terminal

from convexpy.client import AdminClient
from convexpy.project import LocalDeployment, open_project
from convexpy_cli.context import wait_for
from convexpy_cli.dev.debugger import DebuggerTerminal
from convexpy_cli.output import Output
from convexpy_cli.output.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")]

STOPS = """
from ._generated.server import MutationCtx, QueryCtx, mutation, query


@query
def stop(ctx: QueryCtx, name: str) -> str:
    text = name.upper()
    breakpoint()
    return text + "!"


@mutation
def put(ctx: MutationCtx, text: str) -> str:
    breakpoint()
    ctx.db.insert("notes", {"text": text})
    return text + "!"


@query
def talk(ctx: QueryCtx) -> int:
    print("said meanwhile")
    return 1
"""


@pytest.fixture
def dev(project: Path) -> Iterator[Terminal]:
    """`convexpy dev` at a terminal, with a function that stops, live."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        pair = (first.getsockname()[1], second.getsockname()[1])
    local = LocalDeployment(open_project(project))
    local.prepare()
    local.remember_ports(*pair)
    (project / "convex" / "stops.py").write_text(STOPS)
    terminal = Terminal(project, "dev", "--typecheck", "disable", controlling=True)
    terminal.wait_for("ready:")
    yield terminal
    if terminal.process.poll() is None:
        terminal.type("\x03")
        terminal.close()


class Call:
    """A call of a function in a thread of its own."""

    def __init__(self, project: Path, path: str, args: dict[str, Any]) -> None:
        local = LocalDeployment(open_project(project))
        holder = local.holder()
        assert holder is not None
        self._client = AdminClient(f"http://127.0.0.1:{holder.port}", local.admin_key())
        self.value: Any = None
        self._thread = threading.Thread(target=self._run, args=(path, args), daemon=True)
        self._thread.start()

    def _run(self, path: str, args: dict[str, Any]) -> None:
        try:
            self.value = self._client.call(path, args).value
        except Exception as error:
            self.value = error
        finally:
            self._client.close()

    def result(self) -> Any:
        """Return the answer."""
        self._thread.join(60)
        return self.value


def test_a_paused_function_has_the_terminal_until_it_goes_on(project: Path, dev: Terminal) -> None:
    first = Call(project, "stops:stop", {"name": "ann"})
    dev.wait_for("paused  stops:stop at convex/stops.py:9")
    dev.wait_for("(Pdb) ")
    dev.type("p text\n")
    dev.wait_for("'ANN'")
    second = Call(project, "stops:stop", {"name": "bob"})
    dev.wait_for("stops:stop is paused too")
    assert Call(project, "stops:talk", {}).result() == 1
    dev.type("w\n")
    dev.wait_for("(Pdb) ")
    assert "said meanwhile" not in dev.seen  # held back
    dev.type("c\n")
    assert first.result() == "ANN!"
    dev.wait_for("paused  stops:stop")
    dev.wait_for("(Pdb) ")
    dev.type("\x04")  # Ctrl-D quits
    assert "the debugger was quit" in str(second.result())
    dev.wait_for("said meanwhile")
    dev.type("\x03")
    assert dev.close()[0] == 130


def test_ctrl_c_while_paused_lets_the_function_go_on_and_ends_dev(project: Path, dev: Terminal) -> None:
    call = Call(project, "stops:put", {"text": "ann"})
    dev.wait_for("(Pdb) ")
    local = LocalDeployment(open_project(project))
    assert (local.folder / "debugger.sock").stat().st_mode & 0o777 == 0o600 if _is_short(local) else True
    dev.type("\x03")
    assert dev.close()[0] == 130
    assert call.result() == "ann!"
    assert wait_for(lambda: True if local.holder() is None else None, 10.0)
    assert not (local.folder / "debugger.sock").exists()


def _is_short(local: LocalDeployment) -> bool:
    return len(str(local.folder / "debugger.sock")) <= 100


def test_without_sockets_that_have_a_path_a_token_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pty

    ours, theirs = pty.openpty()
    terminal = DebuggerTerminal(Output(Settings()), theirs, theirs)
    monkeypatch.delattr(socket, "AF_UNIX")
    address = terminal.listen(tmp_path)
    kind, host, port, token = address.split(":")
    assert (kind, host, len(token)) == ("tcp", "127.0.0.1", 32)
    try:
        for given, taken in (("", False), ("0" * 32, False), (token, True)):
            with socket.create_connection((host, int(port)), 10) as connection:
                head = {"token": given, "function": "a:b", "file": "convex/a.py", "line": 3}
                connection.sendall(json.dumps(head).encode() + b"\nhello")
                if taken:
                    assert b"hello" in os.read(ours, 4096)
                    os.write(ours, b"c\n")
                    assert connection.recv(16) == b"c\n"
                else:
                    assert _ends(connection)
    finally:
        terminal.close()
        os.close(ours)
        os.close(theirs)


def _ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
