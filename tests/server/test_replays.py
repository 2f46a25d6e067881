"""A replayed mutation is answered to its caller only, and random numbers do not follow from what a client sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.processes import ServerProcess
from support.sockets import SyncSocket

APP = """
import random
from convexpy import action, mutation, query

@mutation
def secret_of(ctx, n: int):
    identity = ctx.auth.get_user_identity()
    ctx.db.insert("runs", {"n": n})
    return {"secret": f"of {identity and identity.subject}", "n": n}

@mutation
def other(ctx, n: int):
    return "other"

@mutation
def draw(ctx):
    return [ctx.random.getrandbits(50), random.getrandbits(50)]

@query
def draw_query(ctx):
    return [ctx.random.getrandbits(50), random.getrandbits(50)]

@action
async def draw_action(ctx):
    return [ctx.random.getrandbits(50), random.getrandbits(50)]

@query
def runs(ctx) -> int:
    return ctx.db.query("runs").count()
"""


@pytest.fixture(scope="module", params=["development", "production"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    options = ("--redact-errors",) if request.param == "production" else ()
    running = ServerProcess(tmp_path_factory.mktemp("replays") / "data", *options)
    running.push_ok({"fn.py": APP})
    yield running
    running.close()


class Person(SyncSocket):
    """A socket of a user, or of an admin, that may take over a session."""

    def sign_in(self, key: str, subject: str | None = None, **claims: Any) -> Person:
        message: dict[str, Any] = {
            "type": "Authenticate",
            "baseVersion": 0,
            "tokenType": "Admin",
            "value": key,
        }
        if subject is not None:
            message["impersonating"] = {"issuer": "https://i.test", "subject": subject, **claims}
        self.send(**message)
        return self


def test_only_its_caller_is_answered_with_a_stored_outcome(server: ServerProcess) -> None:
    before = server.call("query", "fn:runs")
    with Person(server.url) as alice:
        alice.sign_in(server.admin_key, "alice", iat=1)
        alice.mutation(0, "fn:secret_of", n=1)
        first = alice.response(0)
        assert first["result"] == {"secret": "of alice", "n": 1}
    others = [None, ("bob", {}), ("alic", {}), (None, {})]
    for other in others:
        with Person(server.url, session=alice.session) as stranger:
            if other is not None:
                stranger.sign_in(server.admin_key, other[0], **other[1])
            stranger.mutation(0, "fn:secret_of", n=1)
            answer = stranger.response(0)
            assert answer["success"] is False
            assert "alice" not in str(answer)
            assert answer["errorData"]["code"] == "RequestMismatch"
            assert "another caller" in answer["errorData"]["message"]
    with Person(server.url, session=alice.session) as again:
        again.sign_in(server.admin_key, "alice", iat=2, name="renewed")
        again.mutation(0, "fn:secret_of", n=1)
        assert again.response(0)["result"] == first["result"]
        for path, args in (("fn:secret_of", {"n": 2}), ("fn:other", {"n": 1})):
            again.mutation(0, path, **args)
            assert again.response(0)["errorData"]["code"] == "RequestMismatch"
    assert server.call("query", "fn:runs") == before + 1


@pytest.mark.parametrize("kind", ["mutation", "query", "action"])
def test_random_numbers_do_not_follow_from_the_request(server: ServerProcess, kind: str) -> None:
    path = "fn:draw" if kind == "mutation" else f"fn:draw_{kind}"
    drawn: set[float] = set()
    for _ in range(4):
        body = {"path": path, "args": {}, "format": "json"}
        status, answer, _ = server.request(
            "POST", f"/api/{kind}", body, headers={"Convex-Request-Id": "0123456789abcdef"}
        )
        assert status == 200
        drawn.update(answer["value"])
    assert len(drawn) == 8


def test_random_numbers_do_not_follow_from_session_and_request(server: ServerProcess) -> None:
    drawn: set[float] = set()
    for number in range(4):
        with SyncSocket(server.url) as client:
            client.mutation(number, "fn:draw")
            drawn.update(client.response(number)["result"])
    assert len(drawn) == 8
