"""The official React hooks, unmodified, under jsdom: every state that a component commits is looked at."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import ServerProcess
from support.proxy import Proxy

pytestmark = pytest.mark.slow

FUNCTIONS = """
from convexpy import ConvexError, PaginationOptions, action, mutation, query

@query(name="list")
def list_(ctx, room: str):
    return [{"body": note["body"]} for note in ctx.db.query("notes") if note["room"] == room]

@mutation
def add(ctx, room: str, body: str):
    if body == "refused":
        raise ConvexError({"code": "Refused", "message": "not that"})
    ctx.db.insert("notes", {"room": room, "body": body})

@query
def strict(ctx, room: str):
    if any(note["body"] == "poison" for note in ctx.db.query("notes")):
        raise ConvexError({"code": "Poisoned", "where": [room, 1]})
    return "fine"

@action
async def shout(ctx, text: str) -> str:
    if not text:
        raise ConvexError("nothing to shout")
    await ctx.run_mutation("notes:add", room="shouts", body=text.upper())
    return text.upper()

@query
def numbers(ctx, paginationOpts: PaginationOptions):
    return ctx.db.query("numbers").with_index("by_n").paginate(paginationOpts).map(lambda found: found["n"])

@mutation
def change(ctx, insert: list[float], delete: list[float]):
    for n in insert:
        ctx.db.insert("numbers", {"n": n})
    for n in delete:
        ctx.db.delete(ctx.db.query("numbers").with_index("by_n", n=n).unique()["_id"])

@query
def me(ctx) -> str | None:
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.name
"""
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "notes": define_table({"room": v.string(), "body": v.string()}),
    "numbers": define_table({"n": v.number()}).index("by_n", ["n"]),
})
"""
StartNode = Callable[..., Any]


@pytest.fixture
def app(server: ServerProcess) -> ServerProcess:
    """A server with the functions of these tests."""
    server.push_ok({"notes.py": FUNCTIONS, "schema.py": SCHEMA})
    return server


@pytest.fixture
def proxy(app: ServerProcess) -> Iterator[Proxy]:
    """What the pages connect to."""
    with Proxy() as proxy:
        proxy.target = app.port
        yield proxy


def states(page: Any, name: str) -> list[Any]:
    """Everything that a component has shown so far."""
    return [event["value"] for event in page.events if event["event"] == name]


def test_a_query_follows_its_data_its_arguments_and_skip(app: ServerProcess, node: StartNode) -> None:
    page = node("react.mjs", app.url)
    listed = {"op": "show", "id": "list", "kind": "query", "path": "notes:list"}
    page.command(**listed, args="skip")
    page.wait("list")
    app.call("mutation", "notes:add", room="a", body="one")
    page.command(**listed, args={"room": "a"})
    page.wait("list", lambda value: value == [{"body": "one"}])
    app.call("mutation", "notes:add", room="a", body="two")
    page.wait("list", lambda value: value == [{"body": "one"}, {"body": "two"}])
    page.command(**listed, args={"room": "b"})
    page.wait("list", lambda value: value == [])
    page.command(**listed, args="skip")
    page.command(op="html", tag="html")
    assert page.wait("html") == "list"
    assert page.close() == 0
    shown = [key for key, _ in itertools.groupby(states(page, "list"), key=json.dumps)]
    one, two = {"body": "one"}, {"body": "two"}
    assert [json.loads(each) for each in shown] == [
        "undefined", [one], [one, two], "undefined", [], "undefined",
    ]  # fmt: skip


def test_an_optimistic_update_is_confirmed_without_being_doubled_or_lost(
    app: ServerProcess, proxy: Proxy, node: StartNode
) -> None:
    page = node("react.mjs", proxy.url)
    page.command(
        op="show", id="list", kind="list", path="notes:list", mutation="notes:add", args={"room": "a"}
    )
    page.wait("list", lambda value: value == [])
    with proxy.holding_answers():
        for body in ("one", "two", "refused", "three"):
            page.command(op="call", id="list", args={"room": "a", "body": body}, tag=body)
        page.wait("list", lambda value: len(value) == 4)
    for body in ("one", "two", "three"):
        assert page.wait(body) == {"value": None}
    assert page.wait("refused")["data"] == {"code": "Refused", "message": "not that"}
    page.wait("list", lambda value: len(value) == 3 and not any("optimistic" in each for each in value))
    app.call("mutation", "notes:add", room="a", body="four")
    page.wait("list", lambda value: len(value) == 4 and value[3]["body"] == "four")
    for body in ("one", "two", "three", "refused", "four"):
        life = [
            tuple(
                "optimistic" if each.get("optimistic") else "stored" for each in state if each["body"] == body
            )
            for state in states(page, "list")
            if state != "undefined"
        ]
        last = {"refused": (), "four": ("stored",)}.get(body, ("stored",))
        middle = [] if body == "four" else [("optimistic",)]
        assert [key for key, _ in itertools.groupby(life)] == [(), *middle, last], body


def test_pages_never_show_a_gap_or_a_duplicate_while_their_rows_come_and_go(
    app: ServerProcess, node: StartNode
) -> None:
    """Each state must be the beginning of what the database held at one time, and times never go back."""
    chance = random.Random(7)
    history = [sorted(float(n) for n in range(0, 300, 10))]

    def change(insert: list[float], delete: list[float]) -> None:
        app.call("mutation", "notes:change", insert=insert, delete=delete)
        history.append(sorted({*history[-1], *insert} - {*delete}))

    app.call("mutation", "notes:change", insert=history[0], delete=[])
    page = node("react.mjs", app.url)
    page.command(op="show", id="pages", kind="pages", path="notes:numbers", args={}, size=5)
    page.wait("pages", lambda value: value["results"] == history[0][:5])
    page.command(op="call", id="pages", args=5, tag="more")
    page.wait("pages", lambda value: value["results"] == history[0][:10])
    change([41.0], [40.0])  # the last row of the first page is replaced by one beyond it
    change([], [90.0])  # the last row of the second page goes
    change([91.0, 92.0], [41.0])
    for _ in range(60):
        free = [n for n in range(110) if n not in history[-1]]
        present = [n for n in history[-1] if n < 110]
        leaving = chance.sample(present, k=min(len(present), chance.choice([0, 1, 3])))
        change([float(n) for n in chance.sample(free, k=chance.choice([0, 1, 4]))], leaving)
    page.wait("pages", lambda value: value["results"] == history[-1][: len(value["results"])] != [])
    page.command(op="call", id="pages", args=100, tag="more")
    for n in range(5):
        change([300.0 + n], [history[-1][n]])
    page.wait("pages", lambda value: value == {"status": "Exhausted", "results": history[-1]})
    time = 0
    for state in states(page, "pages"):
        shown = state["results"]
        while time < len(history) and shown != history[time][: len(shown)]:
            time += 1
        assert time < len(history), f"{shown} is the beginning of no state that the database had by then"
    assert len(states(page, "pages")) > 30


def test_an_action_returns_and_fails(app: ServerProcess, node: StartNode) -> None:
    page = node("react.mjs", app.url)
    page.command(op="show", id="shout", kind="action", path="notes:shout")
    page.command(op="show", id="list", kind="query", path="notes:list", args={"room": "shouts"})
    page.wait("list", lambda value: value == [])
    page.command(op="call", id="shout", args={"text": "hey"}, tag="hey")
    assert page.wait("hey") == {"value": "HEY"}
    page.wait("list", lambda value: value == [{"body": "HEY"}])
    page.command(op="call", id="shout", args={"text": ""}, tag="nothing")
    assert page.wait("nothing")["data"] == "nothing to shout"


def test_an_error_boundary_gets_what_the_query_raised(app: ServerProcess, node: StartNode) -> None:
    page = node("react.mjs", app.url)
    page.command(op="show", id="strict", kind="query", path="notes:strict", args={"room": "a"})
    page.command(op="show", id="list", kind="query", path="notes:list", args={"room": "a"})
    page.wait("strict", lambda value: value == "fine")
    app.call("mutation", "notes:add", room="a", body="poison")
    caught = page.wait("strict:caught")
    assert (caught["name"], caught["data"]) == ("ConvexError", {"code": "Poisoned", "where": ["a", 1]})
    page.wait("list", lambda value: value == [{"body": "poison"}])
    page.command(op="html", tag="html")
    assert page.wait("html") == "failedlist"
