"""The sync WebSocket, message by message: versions, order, replay, violations, large results and slow readers."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add, remove, ts_of
from websockets.exceptions import ConnectionClosed

APP = """
import os, time
from convexpy import ConvexError, action, internal_query, mutation, query

@query
def list(ctx):
    return [document["n"] for document in ctx.db.query("items")]

@query
def count(ctx) -> int:
    return ctx.db.query("items").count()

@query
def total(ctx):
    return sum(document["n"] for document in ctx.db.query("items"))

@query
def accounts(ctx):
    return sorted([document["name"], document["n"]] for document in ctx.db.query("accounts"))

@query
def sum_of_accounts(ctx):
    return sum(document["n"] for document in ctx.db.query("accounts"))

@query
def slow_sum(ctx):
    total = 0
    for document in ctx.db.query("accounts"):
        until = time.perf_counter() + 0.003
        while time.perf_counter() < until:
            pass
        total += document["n"]
    return total

@mutation
def open_account(ctx, name: str, n: int):
    ctx.db.insert("accounts", {"name": name, "n": n})

@mutation
def transfer(ctx, frm: str, to: str, n: int):
    found = {document["name"]: document for document in ctx.db.query("accounts")}
    ctx.db.patch(found[frm]["_id"], {"n": found[frm]["n"] - n})
    ctx.db.patch(found[to]["_id"], {"n": found[to]["n"] + n})

@query
def constant(ctx) -> str:
    return "constant"

@query
def echo(ctx, /, **args):
    return args

@mutation
def add(ctx, n: int) -> int:
    print("adding", n)
    ctx.db.insert("items", {"n": n})
    return n

@mutation
def slow_add(ctx, n: int) -> int:
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until:
        pass
    ctx.db.insert("items", {"n": n})
    return n

@mutation
def nothing(ctx) -> str:
    return "nothing written"

@mutation
def refuse(ctx):
    ctx.db.insert("items", {"n": 666})
    raise ConvexError({"code": 7})

@mutation
def fail(ctx):
    ctx.db.insert("items", {"n": 666})
    raise ValueError("no")

@query
def fails_at(ctx, n: int):
    for document in ctx.db.query("items"):
        if document["n"] == n:
            raise ConvexError({"n": n})
    return "fine"

@query
def fails_plainly(ctx):
    raise ValueError("plain")

@action
async def act(ctx, n: int) -> int:
    print("acting")
    return await ctx.run_mutation("fn:add", n=n)

@action
async def act_badly(ctx):
    raise ConvexError(None)

@action
async def never(ctx):
    import asyncio
    await asyncio.Event().wait()

@internal_query
def hidden(ctx) -> str:
    return "internal"

@query
def who(ctx):
    return ctx.auth.get_user_identity()

@query
def big(ctx, mib: int):
    newest = ctx.db.query("items").order("desc").first()
    return {"newest": None if newest is None else newest["n"], "text": "\\u00e4" * (mib * 2**19)}

@action
def blob(ctx, mib: int) -> str:
    return "x" * (mib * 2**20)

@mutation
def length(ctx, text: str) -> int:
    return len(text)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server; its clock of silence is short. Tests keep to tables and sessions that they emptied themselves."""
    server = ServerProcess(tmp_path_factory.mktemp("sync") / "data", "--ping-interval-s", "0.2")
    server.push_ok({"fn.py": APP, "maintenance.py": CLEAR})
    yield server
    server.close()


CLEAR = """
from convexpy import mutation

@mutation
def clear(ctx):
    for table in ("items", "accounts"):
        for document in ctx.db.query(table).collect():
            ctx.db.delete(document["_id"])
"""


@pytest.fixture
def sync(shared: ServerProcess) -> ServerProcess:
    """The shared server with empty tables."""
    shared.call("mutation", "maintenance:clear")
    return shared


def _no_pings(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] != "Ping"]


# Query sets and versions


def test_an_empty_query_set_gets_its_transition(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify()
        transition = client.transition()
        assert transition["modifications"] == []
        assert transition["endVersion"]["querySet"] == 1
        assert ts_of(transition["endVersion"]["ts"]) > 0
        assert isinstance(transition["serverTs"], int)


def test_versions_form_a_chain_over_adds_changes_and_removes(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(add(0, "fn:list"), add(1, "fn:count"))
        client.transition()
        assert client.results == {0: [], 1: 0}
        sync.call("mutation", "fn:add", n=5)
        transition = client.transition()
        assert client.results == {0: [5], 1: 1}
        assert [change["queryId"] for change in transition["modifications"]] == [0, 1]
        client.modify(remove(0), add(2, "fn:constant"))
        transition = client.transition()
        assert transition["modifications"][0] == {"type": "QueryRemoved", "queryId": 0}
        assert client.results == {1: 1, 2: "constant"}
        assert transition["endVersion"]["querySet"] == 2
        client.modify(add(0, "fn:list"))
        client.until_result(0, lambda value: value == [5])


def test_a_remove_may_overtake_the_result_of_its_add(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(add(0, "fn:slow_sum"), add(1, "fn:constant"))
        client.modify(remove(0))
        client.until(lambda message: client.version["querySet"] == 2)
        assert client.results == {1: "constant"}


def test_an_add_and_its_remove_in_one_message(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(add(0, "fn:constant"), remove(0), add(1, "fn:constant"))
        client.transition()
        assert client.results == {1: "constant"}


def test_a_transition_without_changes_for_a_commit_that_touches_no_query_is_not_sent(
    sync: ServerProcess,
) -> None:
    with SyncSocket(sync.url) as client:
        client.subscribe(0, "fn:constant")
        client.transition()
        sync.call("mutation", "fn:add", n=1)
        assert client.receive()["type"] == "Ping"


def test_spellings_of_a_path_and_of_arguments(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(
            add(0, "fn.js:constant"),
            {"type": "Add", "queryId": 1, "udfPath": "fn:echo", "args": [{"a": 1}], "journal": None},
            {"type": "Add", "queryId": 2, "udfPath": "fn:echo", "args": [], "componentPath": ""},
            {"type": "Add", "queryId": 3, "udfPath": "fn:echo"},
        )
        client.transition()
        assert client.results == {0: "constant", 1: {"a": 1}, 2: {}, 3: {}}


@pytest.mark.parametrize(
    "args", [[{}, {}], [7], [None], ["x"], [[]], [{"$a": 1}], [{"n": {"$integer": "?"}}]]
)
def test_impossible_arguments_fail_the_query_and_nothing_else(sync: ServerProcess, args: Any) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(
            {"type": "Add", "queryId": 0, "udfPath": "fn:echo", "args": args}, add(1, "fn:constant")
        )
        client.transition()
        assert client.results[0]["type"] == "QueryFailed"
        assert "ArgumentValidationError: " in client.results[0]["errorMessage"]
        assert "errorData" not in client.results[0]
        assert client.results[1] == "constant"
        client.send(type="Mutation", requestId=0, udfPath="fn:add", args=args)
        assert client.response(0)["success"] is False
        client.transition()
        client.mutation(1, "fn:add", n=1)
        assert client.response(1)["success"] is True


def test_failing_queries(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        paths = [
            "fn:fails_at",
            "fn:fails_plainly",
            "fn:nope",
            "fn:hidden",
            "no path !",
            "fn:add",
            "_system/cli/tables",
        ]
        client.modify(*[add(n, path, **({"n": 3} if n == 0 else {})) for n, path in enumerate(paths)])
        client.transition()
        assert client.results[0] == "fine"
        assert (
            "Uncaught ValueError: plain\n    at fails_plainly (convex/fn.py:"
            in client.results[1]["errorMessage"]
        )
        assert "errorData" not in client.results[1]
        for n, path in (
            (2, "fn:nope"),
            (3, "fn:hidden"),
            (4, "no path !"),
            (6, "_system/cli/tables:default"),
        ):
            assert f"Could not find public function for '{path}'" in client.results[n]["errorMessage"]
        assert "as Query, but it is defined as Mutation" in client.results[5]["errorMessage"]
        sync.call("mutation", "fn:add", n=3)
        transition = client.transition()
        assert [change["queryId"] for change in transition["modifications"]] == [0]
        assert client.results[0]["errorData"] == {"n": 3}
        assert client.results[0]["type"] == "QueryFailed"


# Protocol violations

SESSION = "00000000-0000-4000-8000-000000000000"


def modify(*modifications: dict[str, Any]) -> str:
    return json.dumps(
        {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": list(modifications)}
    )


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (['{"type": "ModifyQuerySet", "baseVersion": 1, "newVersion": 2, "modifications": []}'], "BaseVersionMismatch"),
        (['{"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 0, "modifications": []}'], "BaseVersionMismatch"),
        (
            [json.dumps({"type": "ModifyQuerySet", "baseVersion": n, "newVersion": n + 1, "modifications": [add(0, "fn:list")]}) for n in (0, 1)],
            "query id 0 is already subscribed",
        ),
        (['{"type": "Authenticate", "baseVersion": 3, "tokenType": "None"}'], "BaseVersionMismatch"),
        (['{"type": "Mutation"'], "invalid message"),
        (["[]"], "invalid message"),
        (['{"type": "Nonsense"}'], "invalid message"),
        (['{"type": "Mutation", "requestId": "one", "udfPath": "fn:add"}'], "invalid message"),
        (['{"type": "Connect"}'], "invalid message"),
        (['{"type": "Connect", "sessionId": "00000000-0000-4000-8000-000000000000"}'], "has sent Connect before"),
        (['{"type": "ModifyQuerySet", "baseVersion": -1, "newVersion": 1, "modifications": []}'], "invalid message"),
        (['{"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 4294967296, "modifications": []}'], "invalid message"),
        (['{"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1.0, "modifications": []}'], "invalid message"),
        (['{"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": {}}'], "invalid message"),
        ([modify({**add(0, "fn:list"), "queryId": -1})], "invalid message"),
        ([modify({**add(0, "fn:list"), "queryId": 2**32})], "invalid message"),
        ([modify({**add(0, "fn:list"), "queryId": True})], "invalid message"),
        ([modify({**add(0, "fn:list"), "args": {}})], "invalid message"),
        ([modify({**add(0, "fn:list"), "args": None})], "invalid message"),
        ([modify({**add(0, "fn:list"), "journal": 7})], "invalid message"),
        ([modify({**add(0, "fn:list"), "componentPath": "other"})], "no components"),
        (['{"type": "Mutation", "requestId": 0, "udfPath": "fn:add", "args": [{}], "componentPath": "other"}'], "no components"),
        ([modify({**add(0, "fn:list"), "udfPath": "a" * 513})], "invalid message"),
        ([modify(remove(7))], "query id 7 is not subscribed"),
        ([modify(add(0, "fn:list"), remove(0), remove(0))], "query id 0 is not subscribed"),
        ([modify(*[add(n, "fn:list") for n in range(20_481)])], "at most 20480 queries"),
        ([modify(*[each for n in range(20_481) for each in (add(n, "fn:list"), remove(n))])], "at most 20480 queries"),
        (['{"type": "Authenticate", "baseVersion": -1, "tokenType": "None"}'], "invalid message"),
        (['{"type": "Authenticate", "baseVersion": 0, "tokenType": "Root", "value": "x"}'], "invalid message"),
        *[([json.dumps({"type": kind, "requestId": n, "udfPath": "fn:add", "args": [{}]})], "invalid message")
          for kind in ("Mutation", "Action") for n in (-1, 2**32, 10**30, 1.5, "1", None)],
        *[([json.dumps({"type": kind, "requestId": 0, "udfPath": "fn:add", "args": args})], "invalid message")
          for kind in ("Mutation", "Action") for args in ({}, None, "x", 7)],
        (['{"type": "Mutation", "requestId": 0, "args": [{}]}'], "invalid message"),
        (['{"type": "Mutation", "requestId": 0, "udfPath": "fn:add", "args": ' + "[" * 100_000 + "]" * 100_000 + "}"], "invalid message"),
        ([b'{"type": "Connect"}'], "binary"),
    ],
)  # fmt: skip
def test_a_violation_of_the_protocol_is_fatal_for_that_client_only(
    sync: ServerProcess, messages: list[Any], text: str
) -> None:
    with SyncSocket(sync.url) as client, SyncSocket(sync.url) as other:
        other.subscribe(0, "fn:list")
        other.transition()
        for message in messages:
            client.connection.send(message)
        client.until_closed()
        fatal = _no_pings(client.received)[-1]
        assert fatal["type"] == "FatalError"
        assert text in fatal["error"]
        assert "Traceback" not in fatal["error"]
        sync.call("mutation", "fn:add", n=1)
        other.until_result(0, lambda value: value == [1])


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "Mutation", "requestId": 0, "udfPath": "fn:add", "args": [{"n": 1}]}, "must be Connect"),
        ({"type": "Action", "requestId": 0, "udfPath": "fn:act", "args": [{"n": 1}]}, "must be Connect"),
        ({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}, "must be Connect"),
        ({"type": "Authenticate", "baseVersion": 0, "tokenType": "None"}, "must be Connect"),
        *[({"type": "Connect", "sessionId": id}, "invalid message")
          for id in ("", "s1", "x" * 36, "a" * 10_000, 7, None, "00000000-0000-4000-8000-000000000000\n")],
        ({"type": "Connect", "sessionId": SESSION, "connectionCount": -1}, "invalid message"),
        ({"type": "Connect", "sessionId": SESSION, "connectionCount": 2**32}, "invalid message"),
        ({"type": "Connect", "sessionId": SESSION, "clientTs": "now"}, "invalid message"),
        ({"type": "Connect", "sessionId": SESSION, "maxObservedTimestamp": "x"}, "malformed timestamp"),
        ({"type": "Connect", "sessionId": SESSION, "maxObservedTimestamp": "//////////8="}, "malformed timestamp"),
    ],
)  # fmt: skip
def test_a_connection_begins_with_a_well_formed_connect(sync: ServerProcess, message: Any, text: str) -> None:
    with SyncSocket(sync.url, hello=False) as client:
        client.send(**message)
        client.until_closed()
        fatal = _no_pings(client.received)[-1]
        assert fatal["type"] == "FatalError"
        assert text in fatal["error"]
        assert len(fatal["error"]) < 500
        assert sync.call("query", "fn:list") == []


def test_events_and_sparse_connects_are_taken(sync: ServerProcess) -> None:
    for hello in (
        {"sessionId": "00000000-0000-4000-8000-000000000001"},
        {
            "sessionId": "00000000-0000-4000-8000-00000000000A",
            "connectionCount": 3,
            "lastCloseReason": None,
            "clientTs": 0,
        },
        {
            "sessionId": "00000000000040008000000000000003",
            "clientTs": 1718000001234.0,
            "more": {"unknown": [1]},
        },
        {
            "sessionId": SESSION,
            "maxObservedTimestamp": "AAAAAAAAAAA=",
            "lastCloseReason": "closed with code 1006",
        },
    ):
        with SyncSocket(sync.url, hello=False) as client:
            client.send(type="Event", eventType="ClientConnect", event=None)
            client.send(type="Connect", **hello)
            client.send(type="Event", eventType={"strange": True}, event=[1])
            client.send(type="Event")
            client.subscribe(0, "fn:constant")
            transition = client.transition()
            skew = transition["clientClockSkew"]
            assert (isinstance(skew, int) and skew < 0) if hello.get("clientTs") else skew is None


def test_a_client_that_has_seen_a_later_timestamp_is_followed(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify()
        now = ts_of(client.transition()["endVersion"]["ts"])
    ahead = now + 60 * 10**9
    with SyncSocket(sync.url, hello=False) as client:
        client.send(type="Connect", sessionId=SESSION, maxObservedTimestamp=_wire_ts(ahead))
        client.modify()
        assert ts_of(client.transition()["endVersion"]["ts"]) >= ahead
        client.mutation(0, "fn:add", n=1)
        assert ts_of(client.response(0)["ts"]) > ahead


def test_a_client_from_a_far_future_is_asked_to_come_back_not_ended_for_ever(sync: ServerProcess) -> None:
    with SyncSocket(sync.url, hello=False) as client:
        client.send(type="Connect", sessionId=SESSION, maxObservedTimestamp=_wire_ts(2**62))
        assert client.until_closed() == (1011, "InternalServerError")
        assert _no_pings(client.received) == []


def _wire_ts(ts: int) -> str:
    import base64

    return base64.b64encode(ts.to_bytes(8, "little")).decode()


@pytest.mark.parametrize(
    "path", ["//api/1.48.0/sync", "/api//sync", "/api/1.49.0-alpha.2/sync", "/api/sync", "/api/x/sync"]
)
def test_addresses_of_the_socket(sync: ServerProcess, path: str) -> None:
    with SyncSocket(sync.url, path, additional_headers={"Origin": "http://localhost:5173"}) as client:
        client.subscribe(0, "fn:constant")
        client.transition()
        assert client.results == {0: "constant"}


# Mutations and actions


def test_every_response_is_followed_by_a_transition_at_or_after_its_timestamp(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        for request, (path, args, success) in enumerate(
            [
                ("fn:add", {"n": 1}, True),
                ("fn:nothing", {}, True),
                ("fn:refuse", {}, False),
                ("fn:fail", {}, False),
                ("fn:nope", {}, False),
                ("fn:constant", {}, False),
                ("fn:add", {"n": "wrong"}, False),
            ]
        ):
            client.mutation(request, path, **args)
            response = client.until(lambda message: message["type"] != "Ping")
            assert (response["type"], response["requestId"]) == ("MutationResponse", request)
            assert response["success"] is success
            assert isinstance(response["logLines"], list)
            assert ("errorData" in response) == (path == "fn:refuse")
            transition = client.until(lambda message: message["type"] != "Ping")
            assert transition["type"] == "Transition"
            if success:
                assert ts_of(transition["endVersion"]["ts"]) >= ts_of(response["ts"])
            else:
                assert response["ts"] is None
        assert sync.call("query", "fn:list") == [1]


def test_a_response_comes_before_the_transition_that_shows_its_effect(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.subscribe(0, "fn:list")
        client.transition()
        for n in range(30):
            client.mutation(n, "fn:add", n=n)
            response = client.until(lambda message: message["type"] != "Ping")
            assert (response["type"], response["result"], response["logLines"]) == (
                "MutationResponse", n, [f"[LOG] adding {n}"],
            )  # fmt: skip
            client.until_result(0, lambda value, n=n: value == list(range(n + 1)))
            assert ts_of(client.version["ts"]) >= ts_of(response["ts"])


def test_fifty_mutations_keep_their_order(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.subscribe(0, "fn:list")
        for n in range(50):
            client.mutation(n, "fn:add", n=n)
        client.until_result(0, lambda value: len(value) == 50)
        answered = [
            message["requestId"] for message in client.received if message["type"] == "MutationResponse"
        ]
        assert answered == list(range(50))
        assert client.results[0] == list(range(50))


def test_a_refusal_does_not_overtake_the_mutations_before_it(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.mutation(0, "fn:slow_add", n=0)
        client.mutation(1, "fn:nope")
        client.mutation(2, "fn:add", n=2)
        client.response(2)
        answered = [
            message["requestId"] for message in client.received if message["type"] == "MutationResponse"
        ]
        assert answered == [0, 1, 2]


def test_a_mutation_of_the_same_session_and_request_is_answered_from_the_record(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.mutation(4, "fn:add", n=4)
        first = client.response(4)
        client.mutation(4, "fn:add", n=4)  # the same connection asks again
        assert client.response(4) == first
    with SyncSocket(sync.url, session=client.session) as again:
        again.mutation(4, "fn:add", n=4)
        assert again.response(4) == first
        transition = again.transition()
        assert ts_of(transition["endVersion"]["ts"]) >= ts_of(first["ts"])
        again.mutation(5, "fn:refuse")
        assert again.response(5)["success"] is False
        again.mutation(5, "fn:add", n=5)  # failures are not recorded
        assert again.response(5)["success"] is True
    with SyncSocket(sync.url) as stranger:
        stranger.mutation(4, "fn:add", n=44)
        assert stranger.response(4)["result"] == 44
    assert sync.call("query", "fn:list") == [4, 5, 44]


def test_a_replay_races_with_its_first_attempt(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as first, SyncSocket(sync.url, session=first.session) as second:
        first.mutation(0, "fn:slow_add", n=1)
        second.mutation(0, "fn:slow_add", n=1)
        answers = [client.response(0) for client in (first, second)]
        assert [answer["result"] for answer in answers] == [1, 1]
        assert sync.call("query", "fn:list") == [1]


def test_actions_run_beside_everything_and_answer_without_a_timestamp(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.subscribe(0, "fn:list")
        client.transition()
        client.action(0, "fn:never")
        client.action(1, "fn:act", n=1)
        response = client.response(1)
        assert response == {
            "type": "ActionResponse", "requestId": 1, "success": True, "result": 1, "logLines": ["[LOG] acting"],
        }  # fmt: skip
        client.until_result(0, lambda value: value == [1])
        client.action(2, "fn:act_badly")
        response = client.response(2)
        assert (response["success"], response["errorData"]) == (False, None)
        assert "ts" not in response
        client.action(3, "fn:nope")
        assert "Could not find public function" in client.response(3)["result"]
        assert not any(message.get("requestId") == 0 for message in client.received)


# Identity


def test_an_admin_sees_internal_functions_and_nobody_else_does(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.modify(add(0, "fn:hidden"), add(1, "fn:who"))
        client.transition()
        assert client.results[0]["type"] == "QueryFailed"
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=sync.admin_key)
        client.until(lambda message: client.version["identity"] == 1)
        assert client.results == {0: "internal", 1: None}
        claims = {"issuer": "https://i.test", "subject": "u1", "name": "Al"}
        client.send(
            type="Authenticate", baseVersion=1, tokenType="Admin", value=sync.admin_key, impersonating=claims
        )
        client.until(lambda message: client.version["identity"] == 2)
        assert client.results[1] == {**claims, "tokenIdentifier": "https://i.test|u1"}
        client.send(type="Authenticate", baseVersion=2, tokenType="None")
        client.until(lambda message: client.version["identity"] == 3)
        assert client.results[0]["type"] == "QueryFailed"
        assert client.results[1] is None


@pytest.mark.parametrize(
    "message",
    [
        {"tokenType": "Admin", "value": "name|0123"},
        {"tokenType": "Admin", "value": ""},
        {"tokenType": "User", "value": "a.b.c"},
        {"tokenType": "User", "value": "no token"},
        {"tokenType": "Admin", "impersonating": {"name": "nobody"}},
    ],
)
def test_a_bad_token_is_an_auth_error_that_lets_the_client_try_again(
    sync: ServerProcess, message: dict[str, Any]
) -> None:
    with SyncSocket(sync.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="None")
        client.modify()
        client.until(lambda _: client.version["identity"] == 1)
        client.send(type="Authenticate", baseVersion=1, **{"value": sync.admin_key, **message})
        code, _ = client.until_closed()
        error = _no_pings(client.received)[-1]
        assert error["type"] == "AuthError"
        assert (error["baseVersion"], error["authUpdateAttempted"], code) == (1, True, 1000)
        assert sync.admin_key not in json.dumps(error)


def test_a_stop_closes_sockets_with_a_code_that_makes_clients_come_back(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"fn.py": APP})
    with SyncSocket(server.url) as client, SyncSocket(server.url) as busy:
        client.subscribe(0, "fn:constant")
        client.transition()
        busy.action(0, "fn:never")
        busy.mutation(1, "fn:add", n=1)
        busy.response(1)
        assert server.stop() == 0
        assert client.until_closed()[0] == 1001
        assert busy.until_closed()[0] == 1001


# Time, size and load


def test_silence_is_broken_by_pings(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        assert [client.receive() for _ in range(3)] == [{"type": "Ping"}] * 3


def test_two_queries_changed_by_one_commit_come_in_one_transition_under_load(sync: ServerProcess) -> None:
    """The sum over all accounts never changes: a Transition of two moments would show another one."""
    names = "abcdefgh"
    for name in names:
        sync.call("mutation", "fn:open_account", name=name, n=100)
    stop = threading.Event()
    done = itertools.count()

    def writer(offset: int) -> None:
        for n in itertools.count(offset):
            if stop.is_set():
                return
            pair = {"frm": names[n % 8], "to": names[(n * 3 + 1) % 8]}
            if pair["frm"] != pair["to"]:
                sync.call("mutation", "fn:transfer", **pair, n=1)
                next(done)

    threads = [threading.Thread(target=writer, args=(offset,)) for offset in (0, 3)]
    with SyncSocket(sync.url) as client, SyncSocket(sync.url) as unsteady:
        client.modify(add(0, "fn:accounts"), add(1, "fn:sum_of_accounts"), add(2, "fn:slow_sum"))
        for thread in threads:
            thread.start()
        try:
            for n in range(40):
                unsteady.modify(add(n, "fn:accounts"), *([remove(n - 1)] if n else []))
                client.transition()
                assert client.results[1] == client.results[2] == 800
                assert sum(balance for _, balance in client.results[0]) == 800
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert next(done) > 10
        expected = sync.call("query", "fn:accounts")
        client.until_result(0, lambda value: value == expected)


def test_a_large_result_comes_in_chunks_to_clients_that_know_them(sync: ServerProcess) -> None:
    for path, chunked in (
        ("/api/1.48.0/sync", True),
        ("/api/1.28.0/sync", True),
        ("/api/1.27.9/sync", False),
        ("/api/sync", False),
    ):
        with SyncSocket(sync.url, path) as client:
            client.subscribe(0, "fn:big", mib=7)
            transition = client.transition()
            assert ("chunks" in transition) is chunked
            assert client.results[0]["text"] == "ä" * (7 * 2**19)
            client.subscribe(1, "fn:constant")
            assert "chunks" not in client.transition()


def test_an_argument_of_sixteen_mebibytes_arrives(sync: ServerProcess) -> None:
    with SyncSocket(sync.url) as client:
        client.mutation(0, "fn:length", text="x" * (16 * 2**20 - 200))
        response = client.response(0)
        assert response["success"], response["result"][:300]
        assert response["result"] == 16 * 2**20 - 200


def _resident_mib(server: ServerProcess) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _reluctant(url: str) -> SyncSocket:
    """Return a client whose socket takes next to nothing until somebody asks for a message."""
    host, port = url.removeprefix("http://").split(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((host, int(port)))
    return SyncSocket(url, sock=small, max_queue=1)


@pytest.mark.parametrize("fragments", [1, 40])
def test_a_message_that_is_too_large_fails_its_call_or_ends_a_client_that_would_repeat_it(
    sync: ServerProcess, fragments: int
) -> None:
    def sent(message: dict[str, Any]) -> Any:
        text = json.dumps(message)
        size = len(text) // fragments + 1
        parts = [text[start : start + size] for start in range(0, len(text), size)]
        return text if fragments == 1 else parts

    large = [{"n": "x" * (21 * 2**20)}]
    with SyncSocket(sync.url) as client:
        client.connection.send(sent({"type": "Mutation", "requestId": 0, "udfPath": "fn:add", "args": large}))
        client.connection.send(sent({"args": large, "requestId": 1, "type": "Action", "udfPath": "fn:act"}))
        client.mutation(2, "fn:add", n=3)
        for request in (0, 1):
            response = client.response(request)
            assert (response["success"], "too large" in response["result"]) == (False, True)
        assert client.response(2)["success"]
        client.connection.send(
            sent(
                {
                    "type": "ModifyQuerySet",
                    "baseVersion": 0,
                    "newVersion": 1,
                    "modifications": [add(0, "fn:list", x=large)],
                }
            )
        )
        assert client.until_closed()[0] == 1009
        assert "socket_message_bytes" in _no_pings(client.received)[-1]["error"]


def test_a_slow_reader_gets_fewer_fresher_transitions(sync: ServerProcess) -> None:
    with _reluctant(sync.url) as slow, SyncSocket(sync.url) as other:
        slow.subscribe(0, "fn:big", mib=1)
        other.subscribe(0, "fn:count")
        before = _resident_mib(sync)
        for n in range(100):
            sync.call("mutation", "fn:add", n=n)
        other.until_result(0, lambda value: value == 100)
        assert _resident_mib(sync) - before < 40
        slow.until_result(0, lambda value: value["newest"] == 99)
        transitions = [message for message in slow.received if message["type"] == "Transition"]
        assert len(transitions) < 30


def test_a_client_that_never_reads_is_cut_off_and_its_memory_is_given_back(sync: ServerProcess) -> None:
    before = _resident_mib(sync)
    answered = 0
    with _reluctant(sync.url) as slow, SyncSocket(sync.url) as other:
        slow.subscribe(0, "fn:big", mib=1)
        with contextlib.suppress(ConnectionClosed, OSError):
            for n in range(40):
                slow.action(n, "fn:blob", mib=8)
                other.mutation(n, "fn:nothing")
                other.response(n)
                answered += 1
        wait_for(lambda: _is_cut_off(slow), what="the end of the connection")
        assert _resident_mib(sync) - before < 250
        other.mutation(1000, "fn:add", n=1)
        assert other.response(1000)["success"]
    assert answered > 7


def _is_cut_off(client: SyncSocket) -> bool:
    try:
        client.send(type="Event")
    except (ConnectionClosed, OSError):
        return True
    return False
