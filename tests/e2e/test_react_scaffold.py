"""The scaffold `react`: made, built, and used by two people in Chromium against a real server."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from support.accessibility import complaints
from support.npm import E2E
from support.processes import ROOT, ServerProcess, wait_for
from support.proxy import Proxy
from support.react_app import Window, built, convexpy, functions_of, made
from support.static_pages import static_pages

SCAFFOLD = ROOT / "scaffolds" / "react"
OIDC = ("--auth-issuer", "https://issuer.example.com", "--auth-application", "chat")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """What the built page connects to; passes on to the server of each test."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def app(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app of the scaffold, without sign-in, built."""
    app = made(tmp_path_factory.mktemp("react"))
    built(app, proxy.url)
    return app


@pytest.fixture
def page_url(app: Path) -> Iterator[str]:
    """Where the page of the app is."""
    with static_pages(app / "dist") as url:
        yield f"{url}/"


@pytest.fixture
def chat(app: Path, proxy: Proxy, server: ServerProcess) -> ServerProcess:
    """A server with the functions of the app, behind the proxy."""
    server.push_ok(functions_of(app))
    proxy.target = server.port
    return server


IN_VIEW = "(item) => item.getBoundingClientRect().bottom <= innerHeight"
StartWindow = Callable[..., Window]


@pytest.fixture
def window(browser: Any, page_url: str) -> Iterator[StartWindow]:
    """Open windows; at the end none of them has had an error."""
    complaints: list[str] = []

    def start(name: str | None = None, url: str = page_url) -> Window:
        window = Window(browser, url, complaints)
        if name is not None:
            window.enter(name)
        return window

    yield start
    assert complaints == []


# Built


@pytest.mark.parametrize("kind", ["clerk", "oidc"])
def test_with_sign_in_it_builds_too(kind: str, tmp_path: Path) -> None:
    app = made(tmp_path, "--auth", kind, *(OIDC if kind == "oidc" else ()))
    assert (built(app, "http://127.0.0.1:3210") / "index.html").is_file()
    convexpy(app, "codegen", "--check")


def test_its_lock_file_fits_and_is_what_the_tests_use(app: Path, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(app / name, tmp_path)
    command = ["npm", "ci", "--dry-run", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=200)
    text = (app / "package-lock.json").read_text()
    assert '"resolved"' not in text
    ours = json.loads((E2E / "react" / "package-lock.json").read_text())["packages"]
    theirs = json.loads(text)["packages"]
    assert {path: ours[path]["version"] for path in theirs if path} == {
        path: entry["version"] for path, entry in theirs.items() if path
    }
    wanted = ours[""]["dependencies"]
    for layer in ("clerk", "oidc"):
        package = json.loads((SCAFFOLD / "_auth" / layer / "package.json").read_text())
        assert package["dependencies"].items() <= wanted.items()


# Used


def test_two_windows_see_each_others_messages_people_and_channels(
    chat: ServerProcess, window: StartWindow
) -> None:
    ada, grace = window("Ada"), window("Grace")
    for each in (ada, grace):
        each.until_text("The beginning of the channel")
        each.until_state("live")
        each.page.locator("nav").get_by_text("Grace").wait_for()
        each.page.locator("nav").get_by_text("Ada").wait_for()
    ada.write("hello from Ada")
    grace.until(["hello from Ada"])
    grace.write("hello from Grace")
    for each in (ada, grace):
        each.until(["hello from Ada", "hello from Grace"])
    ada.page.get_by_label("New channel").fill("#random")
    ada.page.get_by_role("button", name="Make the channel").click()
    ada.page.get_by_role("heading", name="# random").wait_for()
    ada.write("elsewhere")
    ada.until(["elsewhere"])
    grace.page.get_by_role("link", name="# random").click()
    grace.until(["elsewhere"])
    assert chat.call("query", "users:recent") == ["Ada", "Grace"]


def test_who_leaves_is_not_here(chat: ServerProcess, window: StartWindow, node_clients: Path) -> None:
    ada, grace = window("Ada"), window("Grace")
    here = ada.page.locator("nav").get_by_text("Grace")
    here.wait_for()
    grace.write("bye")
    ada.until(["bye"])
    assert complaints(ada.page, node_clients) == []
    grace.page.get_by_role("button", name="Leave").click()
    here.wait_for(state="detached")
    assert complaints(grace.page, node_clients) == []


def test_ones_own_message_is_scrolled_to(chat: ServerProcess, window: StartWindow) -> None:
    writer = Writer(chat)
    writer.write(40)
    ada = window("Ada")
    ada.until([str(number) for number in range(20, 40)])
    ada.page.locator(".messages").evaluate("(list) => list.scrollTo({ top: -list.scrollHeight })")
    last = ada.page.locator(".message").last
    assert not last.evaluate(IN_VIEW)
    writer.write(1)
    ada.until([str(number) for number in range(20, 41)])
    assert not last.evaluate(IN_VIEW)
    ada.write("mine")
    ada.until([*(str(number) for number in range(20, 41)), "mine"])
    ada.page.wait_for_function(f"({IN_VIEW})([...document.querySelectorAll('.message')].at(-1))")


def test_a_message_is_shown_before_the_server_answers_and_never_twice(
    chat: ServerProcess, proxy: Proxy, window: StartWindow
) -> None:
    ada = window("Ada")
    ada.write("first")
    ada.until(["first"])
    with proxy.holding_answers():
        ada.write("second")
        ada.until(["first", "second"], pending=1)
        ada.write("third")
        ada.until(["first", "second", "third"], pending=2)
        wait_for(lambda: bodies(chat) == ["first", "second", "third"], what="both in the database")
        assert ada.page.get_by_text("sending…").count() == 2
    ada.until(["first", "second", "third"])
    for name in ("second", "third"):
        states = [[each["pending"] for each in state if each["body"] == name] for state in ada.shown()]
        changes = [now for before, now in itertools.pairwise([[None], *states]) if now != before]
        assert changes == [[], [True], [False]], f"{name}: {states}"


def test_a_refused_message_comes_back_with_the_reason(chat: ServerProcess, window: StartWindow) -> None:
    ada = window("Ada")
    ada.write("x" * 4001)
    ada.page.get_by_role("alert").get_by_text("a message has 1 to 4000 characters").wait_for()
    field = ada.page.get_by_role("textbox", name="Message", exact=True)
    assert len(field.input_value()) == 4001
    ada.write("short")
    ada.until(["short"])


def test_older_messages_come_without_gap_or_duplicate_while_new_ones_arrive(
    chat: ServerProcess, window: StartWindow
) -> None:
    writer = Writer(chat)
    writer.write(70)
    ada = window("Ada")
    ada.until([str(number) for number in range(50, 70)])
    for _ in range(3):
        before = ada.page.locator(".message").first.text_content()
        with writer.writing(30):
            ada.page.get_by_role("button", name="Older messages").click()
            ada.page.wait_for_function(
                "(before) => document.querySelector('.message').textContent !== before", arg=before
            )
    ada.until_text("The beginning of the channel")
    ada.until([str(number) for number in range(160)])
    for state in ada.shown():
        numbers = [int(each["body"]) for each in state]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True


def test_a_message_written_while_the_server_is_dead_arrives_once(
    chat: ServerProcess, window: StartWindow
) -> None:
    ada, grace = window("Ada"), window("Grace")
    ada.write("before")
    grace.until(["before"])
    chat.kill()
    for each in (ada, grace):
        each.until_state("reconnecting")
    ada.write("while it was away")
    ada.until(["before", "while it was away"], pending=1)
    ada.until_text("reconnecting, 1 to send")
    chat.start()
    for each in (ada, grace):
        each.until(["before", "while it was away"])
        each.until_state("live")
    grace.write("after")
    ada.until(["before", "while it was away", "after"])
    assert bodies(chat) == ["before", "while it was away", "after"]
    for state in ada.shown() + grace.shown():
        assert len(state) == len({each["body"] for each in state})


def test_dev_runs_vite_beside_the_deployment(app: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'cli'}", "NO_COLOR": "1"}
    copied = tmp_path / "app"
    shutil.copytree(app, copied, symlinks=True)
    toml = (copied / "convexpy.toml").read_text()
    assert 'start = "npm run dev"' in toml
    # Vite looks for a free port and says which one it has found.
    (copied / "convexpy.toml").write_text(toml.replace("npm run dev", "npm run dev -- --host 127.0.0.1"))
    command = [sys.executable, "-m", "convexpy_cli", "dev", "--json", "--typecheck", "disable"]
    events, log = tmp_path / "events.jsonl", tmp_path / "dev.log"
    with events.open("w") as stdout, log.open("w") as stderr:
        dev = subprocess.Popen(
            command, cwd=copied, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
    try:
        url = wait_for(lambda: vite_url(log.read_text(), dev), what="Vite's address")
        with urllib.request.urlopen(f"{url}src/convex.ts", timeout=200) as answer:
            module = answer.read().decode()
    finally:
        dev.terminate()
        dev.wait(60)
    with pytest.raises(URLError):
        urllib.request.urlopen(url, timeout=5)
    said = [json.loads(line) for line in events.read_text().splitlines()]
    assert {"server", "pushed", "stopped"} <= {each["event"] for each in said}
    deployment = next(each["url"] for each in said if each["event"] == "server")
    assert f"VITE_CONVEX_URL={deployment}" in (copied / ".env.local").read_text()
    assert f'"VITE_CONVEX_URL": "{deployment}"' in module


def vite_url(said: str, dev: subprocess.Popen[bytes]) -> str | None:
    assert dev.poll() is None, said
    found = re.search(r"Local:\s+(http\S+)", said)
    return found[1] if found else None


def bodies(server: ServerProcess) -> list[str]:
    """The bodies of the channel `general` in the database, oldest first."""
    channel = next(each for each in server.call("query", "channels:list") if each["name"] == "general")
    options = {"numItems": 500, "cursor": None}
    page = server.call("query", "messages:page", channelId=channel["_id"], paginationOpts=options)["page"]
    return [message["body"] for message in reversed(page)]


class Writer:
    """Writes messages that are numbers, in order."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._channel = server.call("mutation", "channels:create", name="general", author="Writer")
        self._written = 0

    def write(self, count: int) -> None:
        """Write so many messages."""
        for number in range(self._written, self._written + count):
            message = {"channelId": self._channel, "body": str(number), "author": "Writer"}
            self._server.call("mutation", "messages:send", **message)
        self._written += count

    @contextlib.contextmanager
    def writing(self, count: int) -> Iterator[None]:
        """Write so many messages while the block runs, and after it what is left."""
        thread = threading.Thread(target=self.write, args=(count,))
        thread.start()
        try:
            yield
        finally:
            thread.join()
