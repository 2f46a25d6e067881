"""Users' tokens against a real server and a real issuer: who is let in, who is not, and that nothing runs for the latter."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.issuer import Issuer
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add
from websockets.exceptions import ConnectionClosed

FORGERIES = sorted(Issuer(algorithm="EdDSA").forged())
APP = """
from convexpy import action, mutation, query

@query
def who(ctx):
    return ctx.auth.get_user_identity()

@query
def count(ctx) -> int:
    return ctx.db.query("runs").count()

@mutation
def run(ctx) -> str | None:
    identity = ctx.auth.get_user_identity()
    ctx.db.insert("runs", {})
    return identity and identity.subject

@action
async def act(ctx) -> str | None:
    identity = await ctx.auth.get_user_identity()
    await ctx.run_mutation("tokens:run")
    return identity and identity["subject"]
"""
HTTP = """
from convexpy import AuthError, JSONResponse, http_router

http = http_router()

@http.route("/who", method="GET")
async def who(ctx, request):
    try:
        identity = await ctx.auth.get_user_identity()
    except AuthError as error:
        return JSONResponse({"refused": str(error)})
    return JSONResponse({"subject": identity and identity.subject})
"""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(algorithm="EdDSA") as running:
        yield running


@pytest.fixture(scope="module", params=["development", "production"])
def server(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server whose app trusts the issuer."""
    options = ("--redact-errors",) if request.param == "production" else ()
    running = ServerProcess(tmp_path_factory.mktemp("tokens") / "data", *options)
    running.push_ok({"tokens.py": APP, "http.py": HTTP, "auth_config.py": issuer.auth_config()})
    yield running
    running.close()


@pytest.fixture(scope="module")
def forged(issuer: Issuer) -> dict[str, str]:
    return issuer.forged()


def call(server: ServerProcess, kind: str, path: str, token: str | None) -> tuple[int, Any]:
    status, answer, _ = server.request(
        "POST",
        f"/api/{kind}",
        {"path": path, "args": {}},
        headers=bearer(token) if token is not None else None,
    )
    return status, answer


def site(server: ServerProcess, token: str | None) -> Any:
    status, answer, _ = server.request(
        "GET", "/http/who", headers=bearer(token) if token is not None else None
    )
    assert status == 200, answer
    return answer


# Let in


def test_a_push_asks_no_issuer(start_server: Callable[..., ServerProcess]) -> None:
    with Issuer() as unasked:
        server = start_server()
        server.push_ok({"tokens.py": APP, "auth_config.py": unasked.auth_config()})
        assert unasked.requests == []


def test_every_kind_of_function_knows_its_caller(server: ServerProcess, issuer: Issuer) -> None:
    token = issuer.token("alice")
    assert call(server, "mutation", "tokens:run", token)[1]["value"] == "alice"
    assert call(server, "action", "tokens:act", token)[1]["value"] == "alice"
    assert site(server, token) == {"subject": "alice"}
    assert call(server, "mutation", "tokens:run", None)[1]["value"] is None
    assert site(server, None) == {"subject": None}


def test_an_identity_is_what_the_issuer_says(server: ServerProcess, issuer: Issuer) -> None:
    _, answer = call(
        server, "query", "tokens:who", issuer.clerk_token("user_1", org={"id": 7, "roles": ["owner"]})
    )
    assert answer["value"] == {
        "tokenIdentifier": f"{issuer.url}|user_1", "issuer": issuer.url, "subject": "user_1", "name": "Ada Lovelace",
        "nickname": "ada", "givenName": "Ada", "familyName": "Lovelace", "email": "ada@example.com",
        "emailVerified": True, "phoneNumberVerified": False, "pictureUrl": "https://img.clerk.com/ada.png",
        "updatedAt": "2023-11-14T22:13:20+00:00", "azp": "http://localhost:5173", "org": {"id": 7, "roles": ["owner"]},
    }  # fmt: skip
    assert call(server, "query", "tokens:who", None)[1]["value"] is None


def test_keys_of_the_issuer_may_change(server: ServerProcess) -> None:
    with Issuer(algorithm="EdDSA") as issuer:
        server.push_ok({"tokens.py": APP, "http.py": HTTP, "auth_config.py": issuer.auth_config()})
        assert call(server, "mutation", "tokens:run", issuer.token("one"))[1]["value"] == "one"
        issuer.rotate(keep=True)
        assert call(server, "mutation", "tokens:run", issuer.token("two"))[1]["value"] == "two"


@pytest.fixture(autouse=True)
def _trusting_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the app trust the shared issuer again after a test that pushed another configuration."""
    yield
    if "server" in request.fixturenames:
        server, issuer = request.getfixturevalue("server"), request.getfixturevalue("issuer")
        server.push_ok({"tokens.py": APP, "http.py": HTTP, "auth_config.py": issuer.auth_config()})


# Refused over HTTP


@pytest.mark.parametrize("name", [name for name in FORGERIES if name != "empty"])
def test_forged_tokens_over_http(server: ServerProcess, forged: dict[str, str], name: str) -> None:
    token = forged[name]
    before = server.call("query", "tokens:count")
    for kind, path in (("query", "tokens:who"), ("mutation", "tokens:run"), ("action", "tokens:act")):
        status, answer = call(server, kind, path, token)
        assert status == 401, answer
        assert answer.keys() == {"code", "message"}
        assert answer["code"] in {"InvalidAuthHeader", "NoAuthProvider", "TokenExpired", "Unauthenticated"}
        assert token not in answer["message"]
    assert server.call("query", "tokens:count") == before


@pytest.mark.parametrize("name", [name for name in FORGERIES if name != "empty"])
def test_forged_tokens_reach_http_actions_as_no_identity(
    server: ServerProcess, forged: dict[str, str], name: str
) -> None:
    answer = site(server, forged[name])
    assert answer.keys() == {"refused"}


def test_a_refusal_can_be_read_by_a_page_of_another_origin(
    server: ServerProcess, forged: dict[str, str]
) -> None:
    status, _, headers = server.request(
        "POST", "/api/query", {"path": "tokens:who", "args": {}},
        headers={**bearer(forged["expired"]), "Origin": "http://localhost:5173"},
    )  # fmt: skip
    assert status == 401
    assert headers["access-control-allow-origin"] == "http://localhost:5173"


def test_a_header_without_a_token_is_malformed(server: ServerProcess) -> None:
    assert call(server, "query", "tokens:who", "")[0] == 400


def test_neither_answers_nor_logs_hold_tokens(server: ServerProcess, forged: dict[str, str]) -> None:
    for token in forged.values():
        call(server, "query", "tokens:who", token)
    written = server.errors()
    for token in forged.values():
        for part in filter(lambda part: len(part) > 20, token.split(".")):
            assert part not in written


def test_an_app_may_stop_trusting_an_issuer(server: ServerProcess, issuer: Issuer) -> None:
    token = issuer.token("alice")
    assert call(server, "query", "tokens:who", token)[0] == 200
    server.push_ok({"tokens.py": APP, "http.py": HTTP})
    status, answer = call(server, "query", "tokens:who", token)
    assert (status, answer["code"]) == (401, "NoAuthProvider")
    assert call(server, "query", "tokens:who", None)[0] == 200


def test_who_is_signed_in_by_an_issuer_that_is_trusted_no_longer_comes_back_to_be_refused(
    server: ServerProcess, issuer: Issuer
) -> None:
    modules = {"tokens.py": APP, "http.py": HTTP, "auth_config.py": issuer.auth_config()}
    server.push_ok(modules)
    with SyncSocket(server.url) as signed_in, SyncSocket(server.url) as anonymous:
        authenticate(signed_in, issuer.token("alice"))
        for socket in (signed_in, anonymous):
            socket.subscribe(0, "tokens:who")
            socket.until(lambda _, socket=socket: 0 in socket.results)
        server.push_ok({**modules, "other.py": ""})  # the same issuers: nobody is disturbed
        anonymous.modify()
        anonymous.transition()
        signed_in.modify()
        signed_in.transition()
        server.push_ok({"tokens.py": APP, "http.py": HTTP})
        assert signed_in.until_closed()[0] == 1001
        anonymous.modify()
        anonymous.transition()
    with SyncSocket(server.url) as again:
        authenticate(again, issuer.token("alice"))
        assert auth_error(again)["authUpdateAttempted"] is True
    server.push_ok(modules)


def test_a_dead_issuer_fails_only_its_own_tokens(server: ServerProcess, issuer: Issuer) -> None:
    dead = Issuer(algorithm="EdDSA", application_id="dead").start()
    dead.stop()
    config = (
        "from convexpy import auth_config, oidc\n"
        f"auth = auth_config(providers=[oidc(domain={dead.url!r}, application_id='dead'),"
        f" oidc(domain={issuer.url!r}, application_id='convex')])\n"
    )
    server.push_ok({"tokens.py": APP, "http.py": HTTP, "auth_config.py": config})
    status, answer = call(server, "query", "tokens:who", dead.token())
    assert 400 <= status < 500
    assert answer["code"] == "AuthProviderDiscoveryFailed"
    assert call(server, "mutation", "tokens:run", issuer.token("bob"))[1]["value"] == "bob"


# On sockets


def authenticate(socket: SyncSocket, token: str, version: int = 0) -> None:
    socket.send(type="Authenticate", tokenType="User", value=token, baseVersion=version)


def auth_error(socket: SyncSocket) -> dict[str, Any]:
    """Return the AuthError that must come, after which the server must close."""
    error = socket.until(lambda message: message["type"] == "AuthError", "an AuthError")
    assert socket.until_closed()[0] == 1000
    assert socket.received[-1] == error
    return error


def test_a_socket_has_the_identity_of_its_token(server: ServerProcess, issuer: Issuer) -> None:
    with SyncSocket(server.url) as socket:
        socket.subscribe(0, "tokens:who")
        socket.until_result(0, lambda value: value is None)
        authenticate(socket, issuer.token("alice"))
        socket.until_result(0, lambda value: value is not None and value["subject"] == "alice")
        assert socket.version["identity"] == 1
        socket.mutation(0, "tokens:run")
        assert socket.response(0)["result"] == "alice"
        authenticate(socket, issuer.token("bob"), 1)
        socket.until_result(0, lambda value: value is not None and value["subject"] == "bob")
        socket.send(type="Authenticate", tokenType="None", baseVersion=2)
        socket.until_result(0, lambda value: value is None)
        assert socket.version["identity"] == 3


def test_a_page_load_authenticates_twice_and_costs_no_fetch(server: ServerProcess, issuer: Issuer) -> None:
    call(server, "query", "tokens:who", issuer.token())
    fetches = len(issuer.requests)
    for _ in range(3):
        with SyncSocket(server.url) as socket:
            authenticate(socket, issuer.token("alice"))
            authenticate(socket, issuer.token("alice", fresh=1), 1)
            while socket.version["identity"] != 2:
                socket.transition()
    assert len(issuer.requests) == fetches


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_tokens_on_a_socket(server: ServerProcess, forged: dict[str, str], name: str) -> None:
    before = server.call("query", "tokens:count")
    with SyncSocket(server.url) as socket:
        authenticate(socket, forged[name])
        with contextlib.suppress(
            ConnectionClosed
        ):  # the refusal may be quicker than what is sent behind the token
            socket.modify(add(0, "tokens:who"))
            socket.mutation(0, "tokens:run")
        error = auth_error(socket)
        assert (error["baseVersion"], error["authUpdateAttempted"]) == (0, True)
        assert error["error"]
        assert len(forged[name]) < 20 or forged[name] not in json.dumps(socket.received)
        assert not any(message["type"] == "MutationResponse" for message in socket.received)
    assert server.call("query", "tokens:count") == before


def test_a_forged_token_after_a_good_one(
    server: ServerProcess, issuer: Issuer, forged: dict[str, str]
) -> None:
    with SyncSocket(server.url) as socket:
        authenticate(socket, issuer.token("alice"))
        while socket.version["identity"] != 1:
            socket.transition()
        authenticate(socket, forged["expired"], 1)
        error = auth_error(socket)
        assert (error["baseVersion"], error["authUpdateAttempted"]) == (1, True)


def test_an_auth_error_is_about_the_newest_token_also_before_the_one_before_is_confirmed(
    server: ServerProcess, issuer: Issuer, forged: dict[str, str]
) -> None:
    with SyncSocket(server.url) as socket:
        # Clients ignore an AuthError whose base version is older than the token that they sent last.
        authenticate(socket, issuer.token("alice"))
        authenticate(socket, issuer.token("alice", fresh=1), 1)
        authenticate(socket, forged["expired"], 2)
        assert auth_error(socket)["baseVersion"] == 2


def test_a_token_that_expires_ends_the_connection_when_something_is_to_run(
    server: ServerProcess, issuer: Issuer
) -> None:
    with SyncSocket(server.url) as socket:
        # The clocks of issuer and server may differ by five seconds: this one is good for about two more.
        authenticate(socket, issuer.token("alice", expires_in_s=-3))
        socket.mutation(0, "tokens:run")
        assert socket.response(0)["result"] == "alice"
        refused = wait_for(lambda: next_refusal(socket), what="an AuthError")
        assert refused["authUpdateAttempted"] is False
        assert refused["baseVersion"] == 1
        assert refused["error"] == "Convex token identity expired"
        assert socket.until_closed()[0] == 1000


def next_refusal(socket: SyncSocket) -> dict[str, Any] | None:
    """Run one more mutation; return the AuthError that it meets, if it does."""
    request = len(socket.received) + 1
    with contextlib.suppress(ConnectionClosed):  # the update that follows a mutation may meet the end first
        socket.mutation(request, "tokens:run")
    answer = socket.until(
        lambda message: message["type"] == "AuthError" or message.get("requestId") == request
    )
    return answer if answer["type"] == "AuthError" else None


def test_a_slow_issuer_holds_up_its_own_sockets_only(server: ServerProcess, issuer: Issuer) -> None:
    with Issuer(algorithm="EdDSA", application_id="slow") as slow:
        config = (
            "from convexpy import auth_config, oidc\n"
            f"auth = auth_config(providers=[oidc(domain={slow.url!r}, application_id='slow'),"
            f" oidc(domain={issuer.url!r}, application_id='convex')])\n"
        )
        server.push_ok({"tokens.py": APP, "http.py": HTTP, "auth_config.py": config})
        with SyncSocket(server.url) as waiting, SyncSocket(server.url) as other:
            with slow.holding():
                authenticate(waiting, slow.token("patient"))
                waiting.mutation(0, "tokens:run")
                waiting.subscribe(0, "tokens:who")
                authenticate(other, issuer.token("quick"))
                other.mutation(0, "tokens:run")
                assert other.response(0)["result"] == "quick"
                assert call(server, "mutation", "tokens:run", None)[0] == 200
            # What was sent behind the token is of its user, however long the keys took.
            assert waiting.response(0)["result"] == "patient"
            waiting.until_result(0, lambda value: value is not None and value["subject"] == "patient")
            assert waiting.results[0]["subject"] == "patient"
