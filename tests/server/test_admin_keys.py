"""Admin keys over HTTP and sockets: kinds, expiry, revocation, forgeries; literal keys only by explicit setting."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.sockets import SyncSocket, add
from websockets.exceptions import ConnectionClosed

APP = """
from convexpy import internal_mutation, internal_query, mutation, query

@internal_query
def hidden(ctx) -> str:
    return "hidden"

@query
def shown(ctx) -> str:
    return "shown"

@mutation
def write(ctx) -> None:
    ctx.db.insert("items", {})

@internal_mutation
def write_hidden(ctx) -> None:
    ctx.db.insert("items", {})

@query
def who(ctx):
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity["subject"]
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("keys") / "data")
    try:
        server.push_ok({"fn.py": APP})
        yield server
    finally:
        server.close()


def get(server: ServerProcess, path: str, key: str) -> tuple[int, Any]:
    return server.request("GET", path, headers={"Authorization": f"Convex {key}"})[:2]


def post(server: ServerProcess, path: str, body: Any, key: str) -> tuple[int, Any]:
    return server.request("POST", path, body, headers={"Authorization": f"Convex {key}"})[:2]


def make(server: ServerProcess, name: str, kind: str, **more: Any) -> str:
    status, answer = post(
        server, "/api/convexpy/keys", {"name": name, "kind": kind, **more}, server.admin_key
    )
    assert status == 200, answer
    return str(answer["key"])


def call(server: ServerProcess, route: str, path: str, key: str) -> tuple[int, Any]:
    return post(server, f"/api/{route}", {"path": path, "args": {}}, key)


def value(answer: tuple[int, Any]) -> Any:
    status, body = answer
    assert (status, body.get("status")) == (200, "success"), answer
    return body["value"]


def forbidden(answer: tuple[int, Any], operation: str) -> None:
    status, body = answer
    assert (status, body["code"]) == (403, "OperationNotPermitted"), answer
    assert (
        body["message"] == f"You do not have permission to perform this operation (deployment:{operation})."
    )


def test_a_read_only_key_runs_queries_and_reads_logs_and_nothing_else(app: ServerProcess) -> None:
    key = make(app, "reader", "read-only")
    assert value(call(app, "query", "fn:hidden", key)) == "hidden"
    assert value(call(app, "function", "fn:hidden", key)) == "hidden"
    assert get(app, "/api/stream_function_logs?cursor=0", key)[0] == 200
    assert get(app, "/api/convexpy/functions", key)[0] == 200
    forbidden(call(app, "mutation", "fn:write", key), "functions:run")
    forbidden(call(app, "function", "fn:write_hidden", key), "functions:run")
    forbidden(post(app, "/api/convexpy/push/plan", {"modules": {}}, key), "deploy")
    forbidden(post(app, "/api/update_environment_variables", {"changes": []}, key), "env:write")
    forbidden(get(app, "/api/v1/list_environment_variables", key), "env:view")
    forbidden(get(app, "/api/convexpy/keys", key), "keys:manage")
    forbidden(call(app, "query", "_system/cli/queryEnvironmentVariables", key), "env:view")
    assert get(app, "/api/check_admin_key", key)[1]["isReadOnly"] is True


def test_a_deploy_key_pushes_runs_and_sets_variables_but_reads_none(app: ServerProcess) -> None:
    key = make(app, "ci", "deploy")
    assert value(call(app, "function", "fn:hidden", key)) == "hidden"
    assert value(call(app, "function", "fn:write_hidden", key)) is None
    assert post(app, "/api/convexpy/push/plan", {"modules": {}}, key)[0] == 200
    assert post(app, "/api/update_environment_variables", {"changes": []}, key)[0] == 200
    forbidden(get(app, "/api/v1/list_environment_variables", key), "env:view")
    forbidden(get(app, "/api/convexpy/keys", key), "keys:manage")
    forbidden(post(app, "/api/convexpy/keys", {"name": "x", "kind": "admin"}, key), "keys:manage")


def test_a_run_key_runs_what_it_names(app: ServerProcess) -> None:
    key = make(app, "runner", "run", functions=["fn:hid*"])
    assert value(call(app, "function", "fn:hidden", key)) == "hidden"
    forbidden(call(app, "query", "fn:shown", key), "functions:run")
    forbidden(call(app, "query", "_system/cli/tables", key), "data:view")
    forbidden(get(app, "/api/stream_function_logs?cursor=0", key), "logs:view")


def test_only_a_full_key_acts_for_users(app: ServerProcess) -> None:
    key = make(app, "actor", "deploy")
    acting = "eyJpc3N1ZXIiOiAiaHR0cHM6Ly9pLnRlc3QiLCAic3ViamVjdCI6ICJ1MSJ9"
    assert value(call(app, "query", "fn:who", f"{app.admin_key}:{acting}")) == "u1"
    forbidden(call(app, "query", "fn:who", f"{key}:{acting}"), "actAsUser")


def test_a_socket_refuses_what_the_key_is_not_for(app: ServerProcess) -> None:
    key = make(app, "socket reader", "read-only")
    with SyncSocket(app.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
        client.modify(add(0, "fn:hidden"), add(1, "_system/cli/queryEnvironmentVariables:default"))
        client.until(lambda _: 1 in client.results)
        assert client.results[0] == "hidden"
        assert "You do not have permission to perform this operation" in client.results[1]["errorMessage"]
        client.mutation(0, "fn:write")
        response = client.response(0)
        assert (response["success"], "You do not have permission" in response["result"]) == (False, True)


def test_a_revoked_key_is_worthless_at_once_and_after_a_restart(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"fn.py": APP})
    key, other = make(server, "gone", "admin"), make(server, "stays", "admin")
    assert value(call(server, "query", "fn:hidden", key)) == "hidden"
    status, revoked = post(server, "/api/convexpy/keys/revoke", {"key": "gone"}, other)
    assert (status, revoked["name"]) == (200, "gone")
    server.kill()
    server.start()
    for secret, expected in ((key, 403), (other, 200), (server.admin_key, 200)):
        assert call(server, "query", "fn:hidden", secret)[0] == expected
    listed = get(server, "/api/convexpy/keys", other)[1]["keys"]
    assert [(each["name"], each["kind"]) for each in listed] == [("first", "admin"), ("stays", "admin")]
    assert other not in json.dumps(listed)
    assert other.startswith(listed[1]["prefix"])
    assert listed[1]["lastUsedAt"] is not None
    files = b"".join(file.read_bytes() for file in server.data.glob("*.db*"))
    assert other.partition("|")[2].encode() not in files


def test_a_rotated_key_has_its_grace_and_the_new_one_its_rights(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"fn.py": APP})
    old = make(server, "turn", "run", functions=["fn:hid*"], expiresAt=(time.time() + 900) * 1000)
    rotation = {"key": "turn", "graceMs": 600_000}
    status, answer = post(server, "/api/convexpy/keys/rotate", rotation, server.admin_key)
    assert status == 200, answer
    new = answer["key"]
    assert (answer["name"], answer["kind"], answer["functions"]) == ("turn", "run", ["fn:hid*"])
    assert answer["expiresAt"] - answer["createdAt"] == pytest.approx(900_000, abs=5_000)
    assert answer["old"]["expiresAt"] == pytest.approx(time.time() * 1000 + 600_000, abs=60_000)
    server.kill()
    server.start()
    for key in (old, new):
        assert value(call(server, "function", "fn:hidden", key)) == "hidden"
        forbidden(call(server, "query", "fn:shown", key), "functions:run")
    names = [each["name"] for each in get(server, "/api/convexpy/keys", server.admin_key)[1]["keys"]]
    assert sorted(names) == sorted(["first", "turn", answer["old"]["name"]])
    rotation = {"key": "turn", "graceMs": 0}
    status, again = post(server, "/api/convexpy/keys/rotate", rotation, server.admin_key)
    assert status == 200
    assert call(server, "function", "fn:hidden", new)[1]["code"] == "BadDeployKey"
    assert value(call(server, "function", "fn:hidden", old)) == "hidden"
    assert value(call(server, "function", "fn:hidden", again["key"])) == "hidden"


def test_a_socket_of_a_rotated_key_is_opened_again_and_ends_with_the_grace(app: ServerProcess) -> None:
    key = make(app, "turned on a socket", "admin")
    with SyncSocket(app.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
        client.subscribe(0, "fn:hidden")
        client.until_result(0, lambda value: value == "hidden")
        rotation = {"key": "turned on a socket", "graceMs": 600_000}
        assert post(app, "/api/convexpy/keys/rotate", rotation, app.admin_key)[0] == 200
        assert client.until_closed()[0] == 1001
    with SyncSocket(app.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
        client.subscribe(0, "fn:hidden")
        client.until_result(0, lambda value: value == "hidden")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"key": "nobody's", "graceMs": 0}, (404, "KeyNotFound")),
        ({"key": "x", "graceMs": -1}, (400, "BadJsonBody")),
        ({"key": "x"}, (400, "BadJsonBody")),
    ],
)
def test_a_rotation_that_makes_no_sense(
    app: ServerProcess, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    status, answer = post(app, "/api/convexpy/keys/rotate", body, app.admin_key)
    assert (status, answer["code"]) == expected
    first = get(app, "/api/convexpy/keys", app.admin_key)[1]["keys"][0]["prefix"]
    status, answer = post(app, "/api/convexpy/keys/rotate", {"key": first, "graceMs": 1}, app.admin_key)
    assert (status, answer["code"]) == (409, "FirstKey")


def test_what_a_key_has_opened_ends_with_it(app: ServerProcess) -> None:
    revoked, other = make(app, "to be revoked", "admin"), make(app, "beside it", "admin")
    with SyncSocket(app.url) as its_socket, SyncSocket(app.url) as other_socket:
        for client, key in ((its_socket, revoked), (other_socket, other)):
            client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
            client.subscribe(0, "fn:hidden")
            client.until_result(0, lambda value: value == "hidden")
        assert post(app, "/api/convexpy/keys/revoke", {"key": "to be revoked"}, other)[0] == 200
        assert its_socket.until_closed()[0] == 1001
        other_socket.mutation(0, "fn:write_hidden")
        assert other_socket.response(0)["success"] is True
    with SyncSocket(app.url) as again:
        again.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=revoked)
        again.until_closed()
        assert again.received[-1]["type"] == "AuthError"


def test_a_socket_outlives_no_key(app: ServerProcess) -> None:
    key = make(app, "brief on a socket", "admin", expiresAt=(time.time() + 2.0) * 1000)
    with SyncSocket(app.url) as client:
        client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
        client.subscribe(0, "fn:hidden")
        client.until_result(0, lambda value: value == "hidden")
        deadline, request = time.monotonic() + 60, 0
        with contextlib.suppress(ConnectionClosed):
            while time.monotonic() < deadline:
                client.mutation(request, "fn:write")
                client.response(request)
                request += 1
        client.until_closed()
        error = client.received[-1]
        assert (error["type"], error["error"]) == ("AuthError", "Convex admin key expired")


def test_a_key_expires(app: ServerProcess) -> None:
    expires_at = time.time() + 0.7
    key = make(app, "brief", "admin", expiresAt=expires_at * 1000)
    while call(app, "query", "fn:hidden", key)[0] == 200:
        assert time.time() < expires_at + 60
    assert time.time() >= expires_at
    assert call(app, "query", "fn:hidden", key)[1]["code"] == "BadDeployKey"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "", "kind": "admin"}, "BadKeyName"),
        ({"name": "x" * 65, "kind": "admin"}, "BadKeyName"),
        ({"name": "a\nb", "kind": "admin"}, "BadKeyName"),
        ({"name": "n", "kind": "root"}, "BadJsonBody"),
        ({"name": "n", "kind": "run"}, "BadKeyFunctions"),
        ({"name": "n", "kind": "admin", "functions": ["a:b"]}, "BadKeyFunctions"),
        ({"name": "n", "kind": "admin", "expiresAt": 5}, "BadKeyExpiry"),
        ({"kind": "admin"}, "BadJsonBody"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(app: ServerProcess, body: dict[str, Any], code: str) -> None:
    before = get(app, "/api/convexpy/keys", app.admin_key)[1]
    status, answer = post(app, "/api/convexpy/keys", body, app.admin_key)
    assert (status, answer["code"]) == (400, code), answer
    assert get(app, "/api/convexpy/keys", app.admin_key)[1] == before


def test_names_are_used_once_and_the_first_key_stays(app: ServerProcess) -> None:
    make(app, "once", "deploy")
    status, answer = post(app, "/api/convexpy/keys", {"name": "once", "kind": "deploy"}, app.admin_key)
    assert (status, answer["code"]) == (400, "KeyNameTaken")
    first = get(app, "/api/convexpy/keys", app.admin_key)[1]["keys"][0]
    status, answer = post(app, "/api/convexpy/keys/revoke", {"key": first["prefix"]}, app.admin_key)
    assert (status, answer["code"]) == (409, "FirstKey")
    status, answer = post(app, "/api/convexpy/keys/revoke", {"key": "nobody's"}, app.admin_key)
    assert (status, answer["code"]) == (404, "KeyNotFound")


def test_forged_keys_are_refused_everywhere(app: ServerProcess) -> None:
    name, secret = app.admin_key.split("|")
    minted = make(app, "to forge", "read-only").partition("|")[2]
    forged = [
        f"other|{secret}",
        f"{name}|{secret[:-2]}",
        f"{name}|{secret}00",
        f"{name}|{'00' * (len(secret) // 2)}",
        f"{name}|02{secret[2:]}",
        f"{name}|{secret[:4]}{'ab' * 7}{secret[18:]}",
        f"{name}|{minted[:18]}{secret[18:]}",  # the id of one key with the signature of another
        f"{name}|",
        secret,
        f"{name}|{secret[:-1]}g",
        "|",
        "x" * 10_000,  # longer ones are refused with the head of their request
    ]
    for key in forged:
        status, answer = call(app, "query", "fn:hidden", key)
        assert (status, answer["code"]) == (403, "BadDeployKey"), key[:80]
        assert secret not in answer["message"]
        with SyncSocket(app.url) as client:
            client.send(type="Authenticate", baseVersion=0, tokenType="Admin", value=key)
            client.until_closed()
            assert [message["type"] for message in client.received if message["type"] != "Ping"] == [
                "AuthError"
            ]


def test_a_literal_key_opens_only_a_server_that_was_told_so(start_server: Any, app: ServerProcess) -> None:
    key = "carnitas|0135d8598650f8f5cb0f30c34ec2e2bb62793bc28717c8eb6fb577996d50be5f4281b59181095065c5d0f86a2c31ddbe"
    assert call(app, "query", "fn:hidden", key)[0] == 403
    server: ServerProcess = start_server(env={"CONVEXPY_EXTRA_ADMIN_KEYS": f"first-of-two,{key}"})
    server.push_ok({"fn.py": APP, "env.py": ENVIRONMENT})
    for literal in (key, "first-of-two"):
        assert value(call(server, "query", "fn:hidden", literal)) == "hidden"
        assert call(server, "query", "fn:hidden", literal + "x")[0] == 403
    assert call(server, "query", "fn:hidden", "first-of-two,")[0] == 403
    assert value(call(server, "query", "env:names", key)) == []


ENVIRONMENT = """
import os
from convexpy import query

@query
def names(ctx):
    return [name for name in os.environ if "KEYS" in name]
"""


def test_no_key_reaches_the_servers_log(app: ServerProcess) -> None:
    key = make(app, "unlogged", "admin")
    call(app, "query", "fn:hidden", key)
    call(app, "query", "fn:hidden", key + "0")
    log = Path(app.log_path).read_text()
    assert key.partition("|")[2] not in log
    assert app.admin_key.partition("|")[2] not in log


def test_weaker_keys_read_no_secret_tables_and_call_no_function_of_the_server(app: ServerProcess) -> None:
    reader = make(app, "careful reader", "read-only")
    for table in ("_admin_keys", "_environment_variables"):
        opts = {"cursor": None, "numItems": 10}
        for path, args in (
            ("_system/cli/tableData", {"table": table, "order": "asc", "paginationOpts": opts}),
            ("_system/frontend/listTableScan", {"table": table}),
            ("_system/data:page", {"table": table, "paginationOpts": opts}),
        ):
            status, answer = post(app, "/api/query", {"path": path, "args": args}, reader)
            assert (status, answer["status"]) == (200, "error"), (path, answer)
            assert "is not read as data" in answer["errorMessage"]
    for path in ("_system/keys:create", "_system/environment:update", "_system/scheduling:cancelAll"):
        for route in ("query", "mutation", "action", "function"):
            forbidden(call(app, route, path, reader), "data:write")
            status, answer = call(app, route, path, app.admin_key)
            assert (status, answer["status"]) == (200, "error")
            assert f"Could not find function for '{path}'" in answer["errorMessage"]


def test_app_code_calls_no_system_function(app: ServerProcess, server: ServerProcess) -> None:
    server.push_ok({"attack.py": ATTACK})
    record = {"keyId": "00" * 8, "digest": "00" * 32, "name": "mine", "kind": "admin", "createdAt": 1}
    for kind, path, args in (
        ("mutation", "_system/keys:create", record),
        ("mutation", "_system/environment:update", {"changes": []}),
        ("mutation", "_system/shell:write", {"source": "1"}),
        ("query", "_system/shell:evaluate", {"source": "1"}),
        ("query", "_system/cli/queryEnvironmentVariables", {}),
    ):
        for function in ("attack:by_action", "attack:by_mutation", "attack:by_schedule"):
            outer = "action" if function == "attack:by_action" else "mutation"
            sent = {"kind": kind, "target": path, "given": args}
            answer = server.request("POST", f"/api/{outer}", {"path": function, "args": sent})[1]
            assert answer["status"] == "error"
            assert path.split(":")[0] in answer["errorMessage"], answer
    assert [key["name"] for key in get(server, "/api/convexpy/keys", server.admin_key)[1]["keys"]] == [
        "first"
    ]


ATTACK = """
from convexpy import action, mutation, v

@action
async def by_action(ctx, kind: str, target: str, given: dict):
    return await getattr(ctx, f"run_{kind}")(target, given)

@mutation
def by_mutation(ctx, kind: str, target: str, given: dict):
    return getattr(ctx, f"run_{kind}")(target, given)

@mutation
def by_schedule(ctx, kind: str, target: str, given: dict):
    ctx.scheduler.run_after(0, target, given)
"""
