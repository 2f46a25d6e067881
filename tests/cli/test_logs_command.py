"""`convexpy logs`: what is kept, filters, following through a restart, and a gap that is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.terminal import Terminal

pytestmark = pytest.mark.slow
APP = {
    "notes.py": """
import logging
from convexpy import ActionCtx, MutationCtx, QueryCtx, action, mutation, query
from ._generated.api import api

@query
def quiet(ctx: QueryCtx) -> int:
    return 1

@query
def say(ctx: QueryCtx, text: str, level: str = "info") -> None:
    logging.getLogger().log(getattr(logging, level.upper()), text)

@mutation
def fail(ctx: MutationCtx) -> None:
    print("about to fail")
    raise ValueError("no good")

@mutation
def plan(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, "notes:later", {})

@mutation
def later(ctx: MutationCtx) -> None:
    print("ran later")

@action
async def nested(ctx: ActionCtx) -> None:
    print("outside")
    await ctx.run_query("notes:say", {"text": "inside"})
""",
    "http.py": """
from convexpy import Response, http_router
http = http_router()

@http.route("/hook", method="GET")
async def hook(ctx, request):
    print("hooked")
    return Response("ok")
""",
}


def runner(run: Any, server: ServerProcess) -> Any:
    target = ("--url", server.url, "--admin-key", server.admin_key)
    return lambda *words, **expected: run(*target, *words, **expected)


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against the server."""
    server.push_ok(APP)
    return runner(run, server)


def messages(result: Any) -> list[str]:
    return [json.loads(line)["message"] for line in result.stdout.splitlines()]


def test_records_have_what_programs_need(here: Any, server: ServerProcess) -> None:
    server.call("query", "notes:say", text="hello", level="warning")
    server.request("POST", "/api/mutation", {"path": "notes:fail", "args": {}})
    said, about, failed = (json.loads(line) for line in here("logs", "--jsonl").stdout.splitlines())
    assert (said["message"], said["level"], said["kind"], said["function"]) == (
        "hello",
        "warn",
        "query",
        "notes:say",
    )
    assert about["message"] == "about to fail"
    assert (failed["level"], failed["status"], failed["error"]["type"]) == ("error", "error", "ValueError")
    assert failed["error"]["message"] == "no good"
    assert any("notes.py" in frame for frame in failed["error"]["frames"])
    assert failed["ms"] > 0
    raw = [json.loads(line) for line in here("logs", "--raw").stdout.splitlines()]
    assert [entry["identifier"] for entry in raw] == ["notes:say", "notes:fail"]
    assert "usageStats" in raw[0]


@pytest.fixture(scope="module")
def full_log(module_server: ServerProcess) -> ServerProcess:
    """A server that has logged a little of everything."""
    server = module_server
    server.push_ok(APP)
    server.call("query", "notes:quiet")
    for level in ("debug", "info", "warning", "error"):
        server.call("query", "notes:say", text=f"as {level}", level=level)
    server.request("POST", "/api/mutation", {"path": "notes:fail", "args": {}})
    assert server.request("GET", "/http/hook")[0] == 200
    server.call("mutation", "notes:plan")
    wait_for(lambda: "ran later" in str(server.request("GET", "/api/convexpy/logs", admin=True)[1]))
    return server


@pytest.fixture
def logged(run: Any, project: Path, full_log: ServerProcess) -> Any:
    """Run a command against a server that has logged a little of everything."""
    return runner(run, full_log)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--level", "warn"), ["as warning", "as error", "ValueError: no good"]),
        (("--level", "error"), ["as error", "ValueError: no good"]),
        (("--kind", "http"), ["hooked"]),
        (("--kind", "scheduled"), ["ran later"]),
        (("--function", "http:/ho*"), ["hooked"]),
        (
            ("--function", "notes:fa*", "--function", "*:later"),
            ["about to fail", "ValueError: no good", "ran later"],
        ),
        (("--status", "error"), ["about to fail", "ValueError: no good"]),
        (("--grep", "as (info|error)"), ["as info", "as error"]),
        (("--kind", "query", "--kind", "http", "--grep", "info|hook"), ["as info", "hooked"]),
        (("--history", "1"), ["ran later"]),
        (("--until", "1h"), []),
        (("--function", "notes:quiet", "--success"), [""]),
        (("--function", "notes:quiet"), []),
    ],
)
def test_filters(logged: Any, flags: tuple[str, ...], expected: list[str]) -> None:
    assert messages(logged("logs", "--jsonl", "--since", "10m", *flags)) == expected


@pytest.mark.parametrize(
    "flags",
    [("--level", "loud"), ("--kind", "x"), ("--status", "fine"), ("--grep", "("), ("--since", "soon"),
     ("--columns", "ts,nothing"), ("--tail", "3", "--history", "4")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(logged: Any, flags: tuple[str, ...]) -> None:
    refused = logged("logs", *flags, expect=2)
    assert (refused.stdout, "error[UsageError]" in refused.stderr) == ("", True)


def test_one_request_with_all_that_it_did(here: Any, server: ServerProcess) -> None:
    server.call("action", "notes:nested")
    inside = next(
        json.loads(line) for line in here("logs", "--jsonl").stdout.splitlines() if "inside" in line
    )
    shown = here("logs", "--request", inside["requestId"]).stdout
    assert ("outside" in shown, "inside" in shown, "by Action" in shown, " read, " in shown) == (True,) * 4
    assert here("logs", "--request", "0000000000000000").stdout == ""


@pytest.mark.parametrize(
    ("flags", "environment", "coloured"),
    [
        ((), {}, True),
        (("--no-color",), {}, False),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colours_and_is_told_to_wait(
    logged: Any, full_log: ServerProcess, flags: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    key = ("--url", full_log.url, "--admin-key", full_log.admin_key)
    terminal = Terminal(Path.cwd(), *key, "logs", *flags, screen=True, environment=environment)
    terminal.wait_for("ValueError: no good")
    terminal.wait_for("waiting for logs")
    terminal.process.terminate()
    terminal.close()
    assert ("\x1b[31m" in terminal.seen) == coloured


def test_colours_on_request_go_into_a_pipe(logged: Any) -> None:
    assert "\x1b[31m" in logged("logs", "--level", "error", "--color", "always").stdout
    assert "\x1b" not in logged("logs", "--level", "error").stdout


def test_columns(logged: Any) -> None:
    lines = logged("logs", "--columns", "level,function,message", "--kind", "http").stdout.splitlines()
    assert lines == ["info\tGET /hook\thooked"] or lines == ["log\tGET /hook\thooked"]


class Follower:
    """`convexpy logs -f` in a process of its own."""

    def __init__(self, server: ServerProcess, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", "logs", "-f", "--history", "0", *flags],
            env={**os.environ, "CONVEXPY_URL": server.url, "CONVEXPY_DEPLOY_KEY": server.admin_key},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.out: list[str] = []
        self.err: list[str] = []
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=lambda s=stream, kept=lines: kept.extend(s), daemon=True).start()

    def tells(self, text: str) -> None:
        """Wait for a line on stderr."""

        def told() -> bool:
            return any(text in line for line in self.err)

        wait_for(lambda: told() or self.process.poll() is not None, what=text)
        assert told(), (self.process.returncode, self.err, self.out[-3:])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    """Follow logs: `follow(server, "--level", "error")`."""
    started: list[Follower] = []

    def start(server: ServerProcess, *flags: str) -> Follower:
        started.append(Follower(server, *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_following_goes_on_through_a_restart(
    here: Any, server: ServerProcess, follow: Callable[..., Follower]
) -> None:
    follower = follow(server, "--jsonl", "--function", "notes:say")
    seen = follower.out

    def say(text: str) -> bool:
        server.call("query", "notes:say", text=text)
        return any(text in line for line in seen)

    wait_for(lambda: say("first"), what="the first text")
    server.kill()
    follower.tells("does not respond")
    server.start()
    wait_for(lambda: say("second"), what="the second text")
    follower.tells("was restarted")
    texts = [json.loads(line)["message"] for line in seen]
    assert texts == sorted(texts), "in order"
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(60) == 130
    assert "Traceback" not in "".join(follower.err)


def test_a_wrong_key_ends_following(here: Any, server: ServerProcess) -> None:
    key = here("keys", "create", "tail", "--kind", "read-only").stdout.strip()
    ended = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "logs", "-f"],
        env={**os.environ, "CONVEXPY_URL": server.url, "CONVEXPY_DEPLOY_KEY": key + "0"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ended.returncode == 5
    assert key not in ended.stderr


def test_what_was_lost_is_counted(here: Any, server: ServerProcess) -> None:
    from convexpy.client import AdminClient, LogPage

    with contextlib.closing(AdminClient(server.url, server.admin_key)) as client:
        server.call("query", "notes:quiet")
        place = client.log_records({})
        assert place is not None
        server.call("query", "notes:quiet")
        page = client.log_records({}, place)
        assert (len(page.entries), page.lost, page.restarted) == (1, 0, False)
        # The ring holds 5,000: of 5,100 more, the reader has missed what did not fit.
        batch = {"queries": [{"path": "notes:quiet", "args": {}}] * 255}
        for _ in range(20):
            assert server.request("POST", "/api/query_batch", batch)[0] == 200
        page = client.log_records({}, page)
        assert (len(page.entries), page.lost) == (5000, 100)
        assert client.log_records({}, LogPage([], 0.0, 0, 1.0)).restarted
