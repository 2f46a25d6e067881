"""The official React hooks, unmodified, under jsdom: every state that a component commits is looked at."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from support.issuer import Issuer
from support.processes import ServerProcess
from support.proxy import Proxy

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


def wait_after(page: Any, count: int, name: str, fact: Callable[[Any], bool]) -> None:
    """Wait until a component has shown a state for which `fact` holds, its first `count` states left out."""
    page.wait(name, lambda _: any(fact(state) for state in states(page, name)[count:]))


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


def lives(page: Any, body: str) -> list[list[str]]:
    """In which forms a list has shown a body, state by state; the same state again is left out."""
    seen = [
        ["optimistic" if each.get("optimistic") else "stored" for each in state if each["body"] == body]
        for state in states(page, "list")
        if state != "undefined"
    ]
    return [form for form, _ in itertools.groupby(seen)]


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
            app.call("mutation", "notes:add", room="a", body=f"of somebody else, beside {body}")
        page.wait("list", lambda value: len(value) == 4)
    for body in ("one", "two", "three"):
        assert page.wait(body) == {"value": None}
    assert page.wait("refused")["data"] == {"code": "Refused", "message": "not that"}
    page.wait("list", lambda value: len(value) == 7 and not any("optimistic" in each for each in value))
    for body in ("one", "two", "three"):
        assert lives(page, body) == [[], ["optimistic"], ["stored"]], body
    assert lives(page, "refused") == [[], ["optimistic"], []]


def test_optimistic_updates_among_the_writes_of_others_never_flicker(
    app: ServerProcess, node: StartNode
) -> None:
    page = node("react.mjs", app.url)
    page.command(
        op="show", id="list", kind="list", path="notes:list", mutation="notes:add", args={"room": "a"}
    )
    page.wait("list", lambda value: value == [])
    mine = [f"mine {n}" for n in range(30)]
    for body in mine:
        page.command(op="call", id="list", args={"room": "a", "body": body}, tag=body)
        app.call("mutation", "notes:add", room="a", body=f"of somebody else, beside {body}")
    page.wait("list", lambda value: len(value) == 60 and not any("optimistic" in each for each in value))
    for body in mine:
        assert lives(page, body) in ([[], ["optimistic"], ["stored"]], [[], ["stored"]]), body
    assert any(["optimistic"] in lives(page, body) for body in mine)


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


# Sign-in


@pytest.fixture
def issuer(server: ServerProcess) -> Iterator[Issuer]:
    """Who issues the tokens that the app accepts."""
    with Issuer() as issuer:
        server.push_ok({"notes.py": FUNCTIONS, "schema.py": SCHEMA, "auth_config.py": issuer.auth_config()})
        yield issuer


def token_source(issuer: Issuer, **claims: Any) -> str:
    return f"{issuer.url}/token?{urlencode(claims)}"


def signed_in_page(server: ServerProcess, issuer: Issuer, node: StartNode, **claims: Any) -> Any:
    """A page whose tokens are refreshed a second after they were made."""
    options = {"authRefreshTokenLeewaySeconds": 9}
    page = node("react.mjs", server.url, json.dumps(options), "auth")
    page.command(op="show", id="auth", kind="auth")
    page.command(op="show", id="me", kind="query", path="notes:me", args={})
    page.command(op="show", id="list", kind="query", path="notes:list", args={"room": "a"})
    page.wait("auth", lambda value: not value["isLoading"] and not value["isAuthenticated"])
    page.wait("me", lambda value: value is None)
    source = token_source(issuer, expires_in_s=10, **claims)
    page.command(op="session", isLoading=False, isAuthenticated=True, source=source)
    page.wait("auth", lambda value: value["isAuthenticated"])
    page.wait("me", lambda value: value == claims["name"])
    return page


def forced(page: Any) -> int:
    """How often the client has asked for a fresh token."""
    return sum(value["forceRefreshToken"] for value in states(page, "fetchToken"))


def test_a_token_is_refreshed_in_time_and_no_subscription_notices(
    server: ServerProcess, issuer: Issuer, node: StartNode
) -> None:
    page = signed_in_page(server, issuer, node, sub="ada", name="Ada")
    before = len(states(page, "me"))
    for n in range(3):
        asked = forced(page)
        page.wait("fetchToken", lambda value, asked=asked: forced(page) > asked)
        server.call("mutation", "notes:add", room="a", body=str(n))
        page.wait("list", lambda value, n=n: len(value) == n + 1)
    assert set(states(page, "me")[before:]) <= {"Ada"}
    signed_in = list(itertools.dropwhile(lambda state: not state["isAuthenticated"], states(page, "auth")))
    assert all(
        state == {"isLoading": False, "isAuthenticated": True, "isRefreshing": False} for state in signed_in
    )


def test_a_refused_refresh_shows_as_signed_out(
    server: ServerProcess, issuer: Issuer, node: StartNode
) -> None:
    page = signed_in_page(server, issuer, node, sub="ada", name="Ada")
    before, auths = len(states(page, "me")), len(states(page, "auth"))
    refused = token_source(issuer, sub="ada", name="Ada", aud="another-app")
    page.command(op="session", isLoading=False, isAuthenticated=True, source=refused)
    wait_after(page, auths, "auth", lambda state: not state["isAuthenticated"])
    wait_after(page, before, "me", lambda name: name is None)
    assert set(states(page, "me")[before:]) <= {"Ada", None, "undefined"}
    server.call("mutation", "notes:add", room="a", body="still live")
    page.wait("list", lambda value: value == [{"body": "still live"}])


def test_who_leaves_and_comes_back_as_another_is_that_other(
    server: ServerProcess, issuer: Issuer, node: StartNode
) -> None:
    page = signed_in_page(server, issuer, node, sub="ada", name="Ada")
    before = len(states(page, "me"))
    page.command(op="session", isLoading=False, isAuthenticated=False, source=None)
    wait_after(page, before, "me", lambda name: name is None)
    before = len(states(page, "me"))
    source = token_source(issuer, sub="grace", name="Grace")
    page.command(op="session", isLoading=False, isAuthenticated=True, source=source)
    page.wait("me", lambda value: value == "Grace")
    assert "Ada" not in states(page, "me")[before:]


@pytest.mark.parametrize("client", ["http", "browser"])
def test_the_other_clients_take_a_token(
    server: ServerProcess, issuer: Issuer, node: StartNode, client: str
) -> None:
    page = node("react.mjs", server.url)
    asked = {"op": "other", "client": client, "path": "notes:me", "args": {}}
    page.command(**asked, tag="nobody")
    assert page.wait("nobody") == {"value": None}
    page.command(**asked, token=issuer.token("ada", name="Ada"), tag="ada")
    assert page.wait("ada") == {"value": "Ada"}
    page.command(**asked, token=issuer.token("ada", name="Ada", aud="another-app"), tag="refused")
    refused = page.wait("refused")
    if client == "http":
        assert "error" in refused
    else:
        assert refused == {"value": None}
        assert [state["isAuthenticated"] for state in states(page, "browser:auth")] == [True, False]
