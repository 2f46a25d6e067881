"""Tokens that the deployment issues itself, on a real server: verified, rotated, kept over restarts, lost without the key."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from support.issuer import private_key
from support.nodes import nodes_of
from support.postgres import PostgresServer
from support.processes import ServerProcess, wait_for
from support.react_app import convexpy
from support.sign_in_app import sign_in_app
from support.sockets import SyncSocket
from websockets.exceptions import ConnectionClosed

StartServer = Callable[..., ServerProcess]
GOOD = "correct horse battery"
ROTATE = "/api/convexpy/signing_keys/rotate"


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A server whose site stays at one address over restarts."""
    running = start_server("--site-origin", "https://site.example")
    running.push_ok(sign_in_app(verify=False))
    return running


def call(server: ServerProcess, kind: str, path: str, token: str | None = None, **args: Any) -> Any:
    """Call a function as a user does; return the answer."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return server.request("POST", f"/api/{kind}", {"path": path, "args": args}, headers=headers)[1]


def sign_up(server: ServerProcess, email: str = "ada@example.com") -> dict[str, str]:
    params = {"flow": "signUp", "email": email, "password": GOOD}
    answer = call(server, "action", "auth:signIn", provider="password", params=params)
    tokens: dict[str, str] = answer["value"]["tokens"]
    return tokens


def refresh(server: ServerProcess, tokens: dict[str, str]) -> dict[str, str]:
    answer = call(server, "action", "auth:signIn", refreshToken=tokens["refreshToken"])
    found: dict[str, str] = answer["value"]["tokens"]
    return found


def email_of(server: ServerProcess, token: str) -> Any:
    answer = call(server, "query", "notes:me", token)
    return answer["value"]["email"] if answer.get("status") == "success" else answer


def published(server: ServerProcess) -> list[dict[str, Any]]:
    status, answer, headers = server.request("GET", "/http/.well-known/jwks.json")
    assert status == 200
    assert "max-age" in headers["cache-control"]
    keys: list[dict[str, Any]] = answer["keys"]
    return keys


@pytest.mark.sqlite
def test_a_token_is_good_where_it_was_issued_and_says_no_more_than_it_must(server: ServerProcess) -> None:
    token = sign_up(server)["token"]
    key = jwt.PyJWK(published(server)[0])
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="convex", issuer="https://site.example")
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == 3600
    assert email_of(server, token) == "ada@example.com"
    assert call(server, "query", "notes:me")["value"] is None
    _, configuration, _ = server.request("GET", "/http/.well-known/openid-configuration")
    assert configuration["issuer"] == claims["iss"]
    assert configuration["jwks_uri"] == "https://site.example/.well-known/jwks.json"


@pytest.mark.sqlite
def test_forged_tokens_are_refused(server: ServerProcess) -> None:
    token = sign_up(server)["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    key_id = jwt.get_unverified_header(token)["kid"]
    foreign = private_key("ES256", 9)
    forged = {
        "another key": jwt.encode(claims, foreign, algorithm="ES256", headers={"kid": key_id}),
        "another key id": jwt.encode(claims, foreign, algorithm="ES256", headers={"kid": "x"}),
        "another algorithm": jwt.encode(
            claims, private_key("RS256", 1), algorithm="RS256", headers={"kid": key_id}
        ),
        "no signature": jwt.encode(claims, None, algorithm="none", headers={"kid": key_id}),
        "a changed claim": ".".join(
            [
                token.split(".")[0],
                jwt.encode({**claims, "sub": "x"}, foreign, "ES256").split(".")[1],
                token.split(".")[2],
            ]
        ),
    }
    for what, text in forged.items():
        status, answer, _ = server.request(
            "POST",
            "/api/query",
            {"path": "notes:me", "args": {}},
            headers={"Authorization": f"Bearer {text}"},
        )
        assert status == 401, (what, answer)


def test_keys_and_sessions_outlive_a_restart(server: ServerProcess) -> None:
    tokens = sign_up(server)
    keys = published(server)
    server.kill()
    server.start()
    assert published(server) == keys
    assert email_of(server, tokens["token"]) == "ada@example.com"
    assert email_of(server, refresh(server, tokens)["token"]) == "ada@example.com"


@pytest.mark.sqlite
def test_rotation_keeps_the_old_key_and_revocation_does_not(server: ServerProcess) -> None:
    old = sign_up(server)
    status, answer, _ = server.request("POST", ROTATE, {}, admin=True)
    assert status == 200
    assert [key["retiredAt"] is None for key in answer["keys"]] == [True, False]
    assert [key["kid"] for key in published(server)] == [key["keyId"] for key in answer["keys"]]
    new = refresh(server, old)
    assert jwt.get_unverified_header(new["token"])["kid"] == answer["keys"][0]["keyId"]
    assert email_of(server, old["token"]) == email_of(server, new["token"]) == "ada@example.com"
    server.request("POST", ROTATE, {"revoke": True}, admin=True)
    assert len(published(server)) == 1
    assert email_of(server, new["token"])["code"] == "Unauthenticated"
    assert email_of(server, refresh(server, new)["token"]) == "ada@example.com"
    assert server.request("POST", ROTATE, {})[0] == 403


def test_data_without_the_secret_key_signs_everybody_out_of_tokens_and_nobody_out_of_sessions(
    server: ServerProcess,
) -> None:
    tokens = sign_up(server)
    server.stop()
    server.data.with_name(f"{server.data.name}.secret-key").unlink()
    server.start()
    answer = email_of(server, tokens["token"])
    assert answer["code"] in ("NoAuthProvider", "Unauthenticated")
    new = refresh(server, tokens)
    assert email_of(server, new["token"]) == "ada@example.com"
    assert email_of(server, tokens["token"])["code"] == "Unauthenticated"
    assert "a signing key is not used any more" in server.errors()


@pytest.mark.sqlite
def test_no_key_reads_signing_keys(server: ServerProcess) -> None:
    sign_up(server)
    for path, args in (
        (
            "_system/cli/tableData",
            {"table": "_signing_keys", "order": "asc", "paginationOpts": {"numItems": 9, "cursor": None}},
        ),
        ("_system/cli/tableSize:default", {"tableName": "_signing_keys"}),
    ):
        _, answer, _ = server.request("POST", "/api/query", {"path": path, "args": args}, admin=True)
        assert "sealed" not in str(answer)
        assert "private" not in str(answer)
    _, listed, _ = server.request("GET", "/api/convexpy/signing_keys", admin=True)
    assert set(listed["keys"][0]) == {"keyId", "createdAt"} | ({"retiredAt"} & set(listed["keys"][0]))


@pytest.mark.sqlite
def test_attempts_at_once_are_no_way_around_the_limit(server: ServerProcess) -> None:
    sign_up(server)
    sign_up(server, "bob@example.com")

    def attempt(email: str) -> str:
        params = {"flow": "signIn", "email": email, "password": "wrong"}
        answer = call(server, "action", "auth:signIn", provider="password", params=params)
        code: str = answer["errorData"]["code"]
        return code

    with ThreadPoolExecutor(20) as threads:
        codes = list(threads.map(attempt, ["ada@example.com"] * 60))
    assert 5 <= codes.count("InvalidCredentials") <= 15
    assert codes.count("TooManyAttempts") >= 45
    assert attempt("bob@example.com") == "InvalidCredentials"


@pytest.mark.sqlite
def test_an_export_has_sessions_and_no_signing_keys(server: ServerProcess, tmp_path: Path) -> None:
    sign_up(server)
    convexpy(tmp_path, "export", "--path", "all.zip", "--url", server.url, "--admin-key", server.admin_key)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = archive.namelist()
    assert any(name.startswith("authSessions/") for name in names)
    assert not any("signing" in name for name in names)


@pytest.mark.sqlite
def test_the_node_that_takes_over_knows_tokens_sessions_and_keys(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with nodes_of(tmp_path, postgres) as start:
        first = start("first", "--site-origin", "https://site.example")
        first.push_ok(sign_in_app(verify=False))
        second = start("second", "--site-origin", "https://site.example")
        tokens = sign_up(second)
        keys = published(first)
        first.kill()

        def served() -> bool:
            with contextlib.suppress(OSError):
                return bool(email_of(second, tokens["token"]) == "ada@example.com")
            return False

        wait_for(served, what="the second node to serve")
        assert published(second) == keys
        assert email_of(second, refresh(second, tokens)["token"]) == "ada@example.com"


@pytest.mark.sqlite
def test_a_token_expires_while_connected_and_a_new_one_goes_on(start_server: StartServer) -> None:
    server = start_server()
    server.push_ok(sign_in_app(verify=False, options="token_lifetime=timedelta(seconds=1)"))
    tokens = sign_up(server)
    with SyncSocket(server.url) as socket:
        socket.send(type="Authenticate", baseVersion=0, tokenType="User", value=tokens["token"])
        socket.subscribe(1, "notes:me")
        socket.until_result(1, lambda result: result is not None)
        number = 0
        with contextlib.suppress(ConnectionClosed):
            while True:  # until it is closed, seconds after the token has expired
                socket.mutation(number, "notes:add", text="x")
                socket.response(number)
                number += 1
        with contextlib.suppress(ConnectionClosed):
            while True:
                socket.receive()
        assert socket.received[-1]["type"] == "AuthError"
        assert "expired" in socket.received[-1]["error"].lower()
    with SyncSocket(server.url) as socket:
        token = refresh(server, tokens)["token"]
        socket.send(type="Authenticate", baseVersion=0, tokenType="User", value=token)
        socket.subscribe(1, "notes:mine")
        assert len(socket.until_result(1, lambda result: result is not None)) >= number > 0


@pytest.mark.sqlite
def test_signing_out_reaches_other_sockets_at_once(server: ServerProcess) -> None:
    tokens = sign_up(server)
    with SyncSocket(server.url) as socket:
        socket.send(type="Authenticate", baseVersion=0, tokenType="User", value=tokens["token"])
        socket.subscribe(1, "notes:me")
        socket.until_result(1, lambda result: result is not None)
        call(server, "action", "auth:signOut", tokens["token"])
        socket.until_result(1, lambda result: result is None)
