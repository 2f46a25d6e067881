"""How commands end at a terminal: Ctrl-C in the middle of their work, a reader that leaves, a terminal that can little."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")]

APP = {
    "schema.py": "from convexpy import define_schema, define_table, v\n"
    'schema = define_schema({"notes": define_table({"text": v.string()})})\n',
    "notes.py": """
from convexpy import mutation, query


@query(name="list")
def list_(ctx) -> list[str]:
    print("✓ listing")
    return [note["text"] for note in ctx.db.query("notes").take(1000)]


@mutation
def fill(ctx, count: int, size: int) -> None:
    for number in range(count):
        ctx.db.insert("notes", {"text": f"✓ {number} " + "é" * size})
""",
}
LISTINGS = (
    "logs --history 100 --no-follow --success",
    "data notes",
    "data",
    "env list",
    "storage list",
    "functions list",
    "schedule list",
    "crons list",
    "keys list",
    "deployment list",
    "deployment history",
    "backup list",
    "schema show --deployed",
    "status",
)


class Stalling:
    """Passes bytes between a client and a server, and stops for good after so many in one direction."""

    def __init__(self, port: int, *, up: int | None = None, down: int | None = None) -> None:
        self._target = port
        self._limits = (up, down)
        self.stalled = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = [self._listener]
        self._thread(self._accept)

    def close(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                self._thread(self._pass, client, server, self._limits[0])
                self._thread(self._pass, server, client, self._limits[1])

    def _pass(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if limit is not None and passed > limit:
                    self.stalled.set()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    @staticmethod
    def _thread(work: Any, *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("deployment") / "data")
    server.push_ok(APP)
    for _ in range(8):
        server.call("mutation", "notes:fill", count=200, size=300)
    server.call("query", "notes:list")
    yield server
    server.close()


@pytest.fixture
def stalling(deployment: ServerProcess) -> Iterator[Any]:
    """Make a way to the deployment that stalls."""
    made: list[Stalling] = []

    def make(**limits: int) -> Stalling:
        made.append(Stalling(deployment.port, **limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def target(deployment: ServerProcess, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose commands are about the deployment."""
    monkeypatch.setenv("CONVEXPY_URL", deployment.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", deployment.admin_key)
    return project


def until_stalled(way: Stalling, terminal: Terminal) -> None:
    """Wait until no more bytes pass, reading what is shown meanwhile: a screen that nobody reads holds a command up."""

    def stalled() -> bool:
        terminal.read_all(0.1)
        return way.stalled.is_set()

    wait_for(stalled, what="the stall")


def interrupted(terminal: Terminal) -> str:
    """Press Ctrl-C; the command must end at once, with 130 and without a traceback. Returns what was shown."""
    terminal.type("\x03")
    terminal.read_all()
    status, stdout = terminal.close()
    assert status == 130, terminal.seen
    assert "Traceback" not in terminal.seen
    assert "error[" not in terminal.seen
    return stdout


def test_ctrl_c_in_logs(target: Path) -> None:
    terminal = Terminal(target, "logs", "-f", "--success", controlling=True, screen=True)
    terminal.wait_for("notes:list")
    interrupted(terminal)


def test_ctrl_c_in_an_upload_says_how_to_go_on(
    target: Path, stalling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = target / "big.jsonl"
    big.write_text('{"text": "' + "x" * 1000 + '"}\n' + "")
    big.write_text(big.read_text() * 8_000)
    way = stalling(up=2_000_000)
    monkeypatch.setenv("CONVEXPY_URL", way.url)
    terminal = Terminal(target, "import", "--table", "more", "big.jsonl", controlling=True)
    until_stalled(way, terminal)
    interrupted(terminal)
    assert "--resume" in terminal.seen


def test_ctrl_c_in_a_download_leaves_a_part_that_is_gone_on_with(
    target: Path, run: Any, stalling: Any, deployment: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = target / "stored.bin"
    stored.write_bytes(os.urandom(4_000_000))
    id = run("storage", "put", str(stored), "--json").json()[0]["id"]
    way = stalling(down=1_500_000)
    monkeypatch.setenv("CONVEXPY_URL", way.url)
    for words in (
        ["storage", "get", id, "-o", "fetched.bin"],
        ["export", "--path", "made.zip", "--include-file-storage"],
    ):
        terminal = Terminal(target, *words, controlling=True)
        until_stalled(way, terminal)
        interrupted(terminal)
        way.stalled.clear()
        assert not (target / words[-1]).exists()
    assert not (target / "made.zip").exists()
    parts = {file.name: file.stat().st_size for file in target.glob("*.part")}
    assert len(parts) == 2
    assert all(size > 0 for size in parts.values())
    monkeypatch.setenv("CONVEXPY_URL", deployment.url)
    run("storage", "get", id, "-o", "fetched.bin")
    assert (target / "fetched.bin").read_bytes() == stored.read_bytes()
    run("export", "--path", "made.zip", "--include-file-storage")
    run("backup", "verify", "made.zip")


def test_ctrl_c_in_uploads_beside_each_other(
    target: Path, stalling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (target / f"{number}.bin").write_bytes(b"x" * 3_000_000)
    way = stalling(up=1_000_000)
    monkeypatch.setenv("CONVEXPY_URL", way.url)
    terminal = Terminal(target, "storage", "put", "0.bin", "1.bin", "2.bin", controlling=True)
    until_stalled(way, terminal)
    assert interrupted(terminal) == ""


def test_ctrl_c_in_a_shell_drops_the_line(target: Path) -> None:
    terminal = Terminal(target, "shell", controlling=True, screen=True)
    terminal.wait_for(">>> ")
    # The key after it makes sure that line editing looks: a signal just before it waits for input is seen at the next key.
    terminal.type("1 +\x03")
    terminal.type("\r")
    terminal.wait_for(">>> ")
    terminal.type("40 + 2\r")
    terminal.wait_for("42")
    terminal.wait_for(">>> ")
    terminal.type("exit\r")
    assert terminal.close()[0] == 0
    assert "Traceback" not in terminal.seen


def test_ctrl_c_in_dev_leaves_nothing(project: Path) -> None:
    words = ("dev", "--typecheck", "disable", "--port", "0", "--site-port", "0", "--start", "sleep 1000")
    terminal = Terminal(project, *words, controlling=True, screen=True)
    terminal.wait_for("ready", 60)
    group = terminal.process.pid
    children = wait_for(lambda: _session_of(group), what="children")
    terminal.type("\x03")
    terminal.read_all()
    status, _ = terminal.close()
    assert status == 130, terminal.seen
    assert "Traceback" not in terminal.seen
    wait_for(lambda: not [pid for pid in children if _alive(pid)], what="the end of all children")
    assert list((project / ".convexpy").rglob("lock.json")) == []


def _session_of(leader: int) -> list[int]:
    """The other processes of the session that a terminal was made for."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(leader)], capture_output=True, text=True, check=False
    )
    return [pid for pid in map(int, found.stdout.split()) if pid != leader]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"


@pytest.mark.parametrize("words", LISTINGS)
def test_a_reader_that_leaves_ends_a_listing_without_a_word(target: Path, words: str) -> None:
    command = f"{sys.executable} -m convexpy_cli {words} | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    child = subprocess.run(["bash", "-c", command], cwd=target, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "0"
    assert "Broken" not in child.stderr
    assert "Traceback" not in child.stderr


POOR = {"NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "40"}


@pytest.mark.parametrize("words", LISTINGS)
def test_a_poor_terminal_is_enough_for_a_listing(target: Path, words: str) -> None:
    terminal = Terminal(target, *words.split(), screen=True, columns=40, environment=POOR)
    shown = terminal.read_all()
    assert terminal.close()[0] == 0, shown
    assert "\x1b[3" not in shown
    assert "\x1b[1" not in shown
    assert "Traceback" not in shown
    assert shown.isascii()


def test_a_narrow_terminal_cuts_no_ids_and_says_what_it_cuts(target: Path, run: Any) -> None:
    id = run("data", "notes", "--limit", "1", "--json").json()[0]["_id"]
    for words, shortened in (((), False), (("--format", "table"), True)):
        terminal = Terminal(
            target, "data", "notes", "--limit", "1", *words, screen=True, columns=40, environment=POOR
        )
        shown = terminal.read_all()
        terminal.close()
        assert id in shown or id in "".join(line[1:].split(" ")[0] for line in shown.splitlines())
        assert ("shortened to fit: " in shown) == shortened


def test_json_is_utf8_whatever_the_locale_says(target: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    child = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "data", "notes", "--limit", "1", "--json"],
        cwd=target, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(child.stdout)[0]["text"].startswith("✓")
