"""The HTTP function API, route by route: what is answered, what must not be in the answer, and that others go on.

One server for the whole table: every scenario is followed by a call that must still work.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

from convexpy.values import Int64

APP = """
from convexpy import ConvexError, action, internal_mutation, internal_query, mutation, query
from convexpy import v

@query
def list(ctx, limit: int = 100):
    return [document["n"] for document in ctx.db.query("items").take(limit)]

@query
def echo(ctx, /, **args):
    return args

@query
def loud(ctx) -> int:
    print("hello", 42)
    return 1

@mutation
def add(ctx, n: int) -> int:
    ctx.db.insert("items", {"n": n})
    return n

@mutation
def refuse(ctx):
    ctx.db.insert("items", {"n": -1})
    raise ConvexError({"code": 7, "big": b"x"})

@mutation
def refuse_null(ctx):
    raise ConvexError(None)

@query
def fail(ctx):
    raise ValueError("title is empty")

@action
async def act(ctx, n: int) -> int:
    return await ctx.run_mutation("fn:add", n=n)

@action
def act_plain(ctx, n: int) -> int:
    return ctx.run_query("fn:hidden") + n

@internal_query
def hidden(ctx) -> int:
    return 41

@internal_mutation
def hidden_add(ctx, n: int) -> int:
    ctx.db.insert("items", {"n": n})
    return n

@query
def default(ctx) -> str:
    return "the default"

@query
def values(ctx):
    from convexpy import Int64
    return {"int": Int64(42), "bytes": b"hi", "nan": float("nan"), "minus": -0.0, "half": 7.5, "inf": float("inf")}

@query
def wrong_result(ctx) -> int:
    return "no number"

@query
def who(ctx):
    return ctx.auth.get_user_identity()
"""

ROOMS = """
from convexpy import query

@query
def list(ctx) -> str:
    return "rooms"
"""

Body = dict[str, Any]
OURS = ("Traceback", "convexpy/", "/src/", "site-packages", 'File "')
ORIGIN = {"Origin": "http://localhost:5173"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the table."""
    server = ServerProcess(tmp_path_factory.mktemp("api") / "data")
    server.push_ok({"fn.py": APP, "chat/rooms.py": ROOMS})
    yield server
    server.close()


@dataclass
class Scenario:
    """A request and what must come of it; `has` and `lacks` are looked for in the answer's text."""

    name: str
    method: str
    path: str
    body: Any = None
    status: int = 200
    value: Any = ...
    code: str | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    admin: bool = False


def ok(name: str, path: str, body: Body, value: Any, **rest: Any) -> Scenario:
    return Scenario(name, "POST", path, body, value=value, **rest)


def failing(name: str, path: str, body: Body, *has: str, **rest: Any) -> Scenario:
    return Scenario(name, "POST", path, body, has=('"status":"error"', *has), **rest)


def refused(name: str, path: str, status: int, code: str, **rest: Any) -> Scenario:
    rest.setdefault("method", "POST")
    return Scenario(name, path=path, status=status, code=code, **rest)


def call(path: str, args: Any = None, **rest: Any) -> Body:
    return {"path": path, "args": {} if args is None else args, **rest}


ENCODED = {"format": "convex_encoded_json"}
FOREIGN_KEY = "other-name|" + "01" * 41
SCENARIOS = [
    # Happy paths: both forms of arguments, all spellings of paths, all formats.
    ok("query", "/api/query", call("fn:echo", {"a": 1}), {"a": 1}),
    ok("args in a list", "/api/query", call("fn:echo", [{"a": 1}]), {"a": 1}),
    ok("empty list of args", "/api/query", call("fn:echo", []), {}),
    Scenario("no args", "POST", "/api/query", {"path": "fn:echo"}, value={}),
    ok("unknown keys are ignored", "/api/query", call("fn:echo", {"a": 1}, udfPath="x", other=[1]), {"a": 1}),
    ok("mutation", "/api/mutation", call("fn:add", {"n": 1}), 1),
    ok("action", "/api/action", call("fn:act", {"n": 2}), 2),
    ok("plain action calls an internal query", "/api/action", call("fn:act_plain", {"n": 1}), 42),
    ok("path with .js", "/api/query", call("fn.js:echo"), {}),
    ok("path without a function", "/api/query", call("fn"), "the default"),
    ok("path in a folder", "/api/query", call("chat/rooms:list"), "rooms"),
    ok("double slashes", "//api//query", call("fn:echo"), {}),
    ok(
        "json type with a charset",
        "/api/query",
        call("fn:echo"),
        {},
        headers={"Content-Type": "application/json; charset=utf-8"},
    ),
    ok("+json type", "/api/query", call("fn:echo"), {}, headers={"Content-Type": "application/vnd.x+json"}),
    Scenario("GET query", "GET", "/api/query?path=fn:echo&args=%7B%22a%22:1%7D", value={"a": 1}),
    Scenario(
        "GET query with a list", "GET", "/api/query?path=fn:echo&args=%5B%7B%7D%5D&format=json", value={}
    ),
    Scenario("print", "POST", "/api/query", call("fn:loud"), value=1, has=('["[LOG] hello 42"]',)),
    ok("run", "/api/run/chat/rooms/list", {"args": {}}, "rooms"),
    ok("run with args", "/api/run/fn/echo", {"args": {"a": [1]}}, {"a": [1]}),
    ok("run, escaped segments", "/api/run/chat%2Frooms/list", {"args": {}}, "rooms"),
    ok("run a mutation", "/api/run/fn/add", {"args": {"n": 3}}, 3),
    ok(
        "clean json",
        "/api/query",
        call("fn:values"),
        {"int": "42", "bytes": "aGk=", "nan": "NaN", "minus": -0.0, "half": 7.5, "inf": "Infinity"},
    ),
    ok(
        "encoded json",
        "/api/query",
        call("fn:values", **ENCODED),
        {
            "int": {"$integer": "KgAAAAAAAAA="},
            "bytes": {"$bytes": "aGk="},
            "nan": {"$float": "AAAAAAAA+H8="},
            "minus": {"$float": "AAAAAAAAAIA="},
            "half": 7.5,
            "inf": {"$float": "AAAAAAAA8H8="},
        },
    ),
    ok(
        "export json",
        "/api/query",
        call("fn:values", format="export_json"),
        {
            "int": Int64(42),
            "bytes": {"$bytes": "aGk="},
            "nan": {"$float": "AAAAAAAA+H8="},
            "minus": -0.0,
            "half": 7.5,
            "inf": {"$float": "AAAAAAAA8H8="},
        },
    ),
    ok(
        "args are encoded whatever the format",
        "/api/query",
        call("fn:echo", {"n": {"$integer": "KgAAAAAAAAA="}}),
        {"n": "42"},
    ),
    Scenario(
        "a batch",
        "POST",
        "/api/query_batch",
        {"queries": [call("fn:echo", {"a": 1}), call("fn:fail"), call("chat/rooms:list")]},
        has=('{"status":"success","value":{"a":1.0},"logLines":[]}', '"status":"error"', '"value":"rooms"'),
    ),
    Scenario("an empty batch", "POST", "/api/query_batch", {"queries": []}, has=('{"results":[]}',)),
    # Failures of functions are answers.
    failing(
        "plain error",
        "/api/query",
        call("fn:fail"),
        "Server Error\\nUncaught ValueError: title is empty\\n    at fail (convex/fn.py:",
        lacks=("errorData",),
    ),
    failing(
        "ConvexError",
        "/api/mutation",
        call("fn:refuse"),
        "Uncaught ConvexError: {",
        '"errorData":{"big":"eA==","code":7',
    ),
    failing(
        "ConvexError, encoded",
        "/api/mutation",
        call("fn:refuse", **ENCODED),
        '"errorData":{"big":{"$bytes":"eA=="},"code":7.0}',
    ),
    failing("ConvexError with null", "/api/mutation", call("fn:refuse_null"), '"errorData":null'),
    failing(
        "unknown function",
        "/api/query",
        call("fn:nope"),
        "Could not find public function for 'fn:nope'. Did you forget to run",
        lacks=("errorData",),
    ),
    failing(
        "unknown module", "/api/query", call("nope:nope"), "Could not find public function for 'nope:nope'"
    ),
    failing(
        "query as mutation",
        "/api/mutation",
        call("fn:echo"),
        "Trying to execute fn:echo as Mutation, but it is defined as Query.",
    ),
    failing(
        "mutation as query",
        "/api/query",
        call("fn:add"),
        "Trying to execute fn:add as Query, but it is defined as Mutation.",
    ),
    failing("action as query", "/api/query", call("fn:act"), "as Query, but it is defined as Action."),
    failing(
        "internal query",
        "/api/query",
        call("fn:hidden"),
        "Could not find public function for 'fn:hidden'",
        lacks=("nternal",),
    ),
    failing(
        "internal mutation",
        "/api/mutation",
        call("fn:hidden_add", {"n": 1}),
        "Could not find public function for 'fn:hidden_add'",
    ),
    failing(
        "internal of the wrong kind says nothing of it",
        "/api/mutation",
        call("fn:hidden"),
        "Could not find public function",
        lacks=("defined as",),
    ),
    failing(
        "internal over run",
        "/api/run/fn/hidden",
        {"args": {}},
        "Could not find public function for 'fn:hidden'",
    ),
    failing(
        "system function of a stranger",
        "/api/query",
        call("_system/cli/tables"),
        "Could not find public function for '_system/cli/tables:default'",
    ),
    failing(
        "system mutation of a stranger",
        "/api/mutation",
        call("_system/push:abort", {"numbers": []}),
        "Could not find public function",
    ),
    failing("two objects", "/api/query", call("fn:echo", [{}, {}]), "a function takes one object"),
    failing("args that are no object", "/api/query", call("fn:echo", 7), "a function takes one object"),
    failing("args of null", "/api/query", {"path": "fn:echo", "args": None}, "a function takes one object"),
    failing("missing argument", "/api/mutation", call("fn:add"), "ArgumentValidationError: ", "n"),
    failing(
        "extra argument", "/api/mutation", call("fn:add", {"n": 1, "x": 2}), "ArgumentValidationError: ", "x"
    ),
    failing("wrong argument", "/api/mutation", call("fn:add", {"n": "one"}), "ArgumentValidationError: "),
    failing(
        "reserved field", "/api/query", call("fn:echo", {"$a": 1, "b": 2}), "ArgumentValidationError: ", "$a"
    ),
    failing(
        "malformed integer",
        "/api/query",
        call("fn:echo", {"n": {"$integer": "x"}}),
        "ArgumentValidationError: ",
    ),
    failing(
        "malformed bytes", "/api/query", call("fn:echo", {"n": {"$bytes": "*"}}), "ArgumentValidationError: "
    ),
    failing(
        "ordinary number in $float",
        "/api/query",
        call("fn:echo", {"n": {"$float": "AAAAAAAA+D8="}}),
        "ArgumentValidationError: ",
    ),
    failing(
        "control character in a field name",
        "/api/query",
        call("fn:echo", {"a\u0001": 1}),
        "ArgumentValidationError: ",
    ),
    failing("wrong result", "/api/query", call("fn:wrong_result"), "ReturnsValidationError: "),
    failing(
        "wire nesting of 65",
        "/api/query",
        call("fn:echo", {"a": json.loads("[" * 65 + "]" * 65)}),
        "ArgumentValidationError: ",
    ),
    # Requests that cannot be understood.
    refused("malformed body", "/api/query", 400, "BadJsonBody", raw=b'{"path": "fn:echo", "args": {'),
    refused("empty body", "/api/query", 400, "BadJsonBody", raw=b""),
    refused("a list as body", "/api/query", 400, "BadJsonBody", body=[1]),
    refused("no path", "/api/query", 400, "BadJsonBody", body={"args": {}}),
    refused("path of a wrong type", "/api/query", 400, "BadJsonBody", body={"path": 7}),
    refused(
        "bytes that are no UTF-8", "/api/query", 400, "BadJsonBody", raw=b'{"path": "\xff\xfe", "args": {}}'
    ),
    refused("NaN literal", "/api/query", 400, "BadJsonBody", raw=b'{"path": "fn:echo", "args": {"a": NaN}}'),
    refused(
        "Infinity literal",
        "/api/query",
        400,
        "BadJsonBody",
        raw=b'{"path": "fn:echo", "args": {"a": -Infinity}}',
    ),
    refused(
        "form post",
        "/api/mutation",
        400,
        "BadJsonBody",
        body=call("fn:add", {"n": 666}),
        headers={"Content-Type": "text/plain"},
    ),
    refused(
        "no content type",
        "/api/mutation",
        400,
        "BadJsonBody",
        body=call("fn:add", {"n": 666}),
        headers={"Content-Type": ""},
    ),
    refused("unknown format", "/api/query", 400, "BadFormat", body=call("fn:echo", format="xml")),
    refused("impossible path", "/api/query", 400, "BadConvexFunctionIdentifier", body=call("../fn:echo")),
    refused("impossible name", "/api/query", 400, "BadConvexFunctionIdentifier", body=call("fn:a b")),
    refused("empty path", "/api/query", 400, "BadConvexFunctionIdentifier", body=call("")),
    refused("one segment", "/api/run/fn", 400, "MissingIdentifier", body={"args": {}}),
    refused("GET without a path", "/api/query", 400, "MissingParameter", method="GET"),
    refused("GET with malformed args", "/api/query?path=fn:echo&args=%7B", 400, "BadJsonBody", method="GET"),
    refused(
        "body over the limit",
        "/api/query",
        413,
        "RequestBodyTooLarge",
        raw=b'{"path":"fn:echo","args":{"a":"' + b"x" * (16 * 2**20 + 2000) + b'"}}',
    ),
    refused("a batch of nothing", "/api/query_batch", 400, "BadJsonBody", body={"queries": {}}),
    refused(
        "a batch with an impossible path",
        "/api/query_batch",
        400,
        "BadConvexFunctionIdentifier",
        body={"queries": [call("fn:echo"), call("a b")]},
    ),
    refused(
        "a timestamp that is none", "/api/query_at_ts", 400, "BadTimestamp", body=call("fn:echo", ts="xx")
    ),
    refused("no timestamp", "/api/query_at_ts", 400, "MissingParameter", body=call("fn:echo")),
    refused(
        "a timestamp in the future",
        "/api/query_at_ts",
        400,
        "TimestampInFuture",
        body=call("fn:echo", ts="////////fz8="),
    ),
    # Who calls.
    refused(
        "bearer token without a provider",
        "/api/query",
        401,
        "InvalidAuthHeader",
        body=call("fn:echo"),
        headers={"Authorization": "Bearer a.b.c"},
    ),
    refused(
        "a bad token is met before the path",
        "/api/query",
        401,
        "InvalidAuthHeader",
        body=call("no path !"),
        headers={"Authorization": "bearer a.b.c"},
    ),
    refused(
        "a bad token is met before the body",
        "/api/query",
        401,
        "InvalidAuthHeader",
        raw=b"{",
        headers={"Authorization": "Bearer a.b.c"},
    ),
    refused(
        "another scheme",
        "/api/query",
        400,
        "InvalidHeaderFailure",
        body=call("fn:echo"),
        headers={"Authorization": "Basic eDp5"},
    ),
    refused(
        "a scheme alone",
        "/api/query",
        400,
        "InvalidHeaderFailure",
        body=call("fn:echo"),
        headers={"Authorization": "Bearer"},
    ),
    refused(
        "a key of another deployment",
        "/api/query",
        403,
        "BadDeployKey",
        body=call("fn:echo"),
        headers={"Authorization": f"Convex {FOREIGN_KEY}"},
    ),
    refused(
        "a key without a bar",
        "/api/query",
        403,
        "BadDeployKey",
        body=call("fn:echo"),
        headers={"Authorization": "Convex secret"},
    ),
    refused(
        "a key that is no hex",
        "/api/query",
        403,
        "BadDeployKey",
        body=call("fn:echo"),
        headers={"Authorization": "Convex a|zz"},
    ),
    refused("a key in the address", "/api/query?adminKey=a%7Czz", 403, "BadDeployKey", body=call("fn:echo")),
    refused("function route without a key", "/api/function", 403, "BadDeployKey", body=call("fn:echo")),
    refused(
        "function route with a bad key",
        "/api/function",
        403,
        "BadDeployKey",
        body=call("fn:echo"),
        headers={"Authorization": "Convex a|zz"},
    ),
    refused("push without a key", "/api/convexpy/push", 403, "BadDeployKey", body={"modules": {}}),
    refused("plan without a key", "/api/convexpy/push/plan", 403, "BadDeployKey", body={"modules": {}}),
    refused(
        "variables without a key", "/api/v1/list_environment_variables", 403, "BadDeployKey", method="GET"
    ),
    refused("logs without a key", "/api/stream_function_logs?cursor=0", 403, "BadDeployKey", method="GET"),
    ok("internal query with a key", "/api/query", call("fn:hidden"), 41, admin=True),
    ok("internal mutation with a key", "/api/mutation", call("fn:hidden_add", {"n": 4}), 4, admin=True),
    ok("run an internal function with a key", "/api/run/fn/hidden", {"args": {}}, 41, admin=True),
    ok("any function: query", "/api/function", call("fn:echo", {"a": 1}), {"a": 1}, admin=True),
    ok("any function: mutation", "/api/function", call("fn:add", {"n": 5}), 5, admin=True),
    ok("any function: action", "/api/function", call("fn:act", {"n": 6}), 6, admin=True),
    ok("any function: internal", "/api/function", call("fn:hidden"), 41, admin=True),
    ok(
        "any function in the root component",
        "/api/function",
        call("fn:hidden", componentPath=""),
        41,
        admin=True,
    ),
    failing(
        "any function: missing",
        "/api/function",
        call("fn:nope"),
        "Could not find function for 'fn:nope'",
        admin=True,
    ),
    ok("an admin is nobody", "/api/query", call("fn:who"), None, admin=True),
    # Other routes.
    refused(
        "unsupported admin route",
        "/api/deploy2/start_push",
        400,
        "PythonFunctionsOnly",
        raw=b"\x00compressed",
        headers={"Content-Encoding": "br"},
    ),
    refused("unknown admin route", "/api/some_new_route", 400, "UnsupportedByConvexpy", body={}),
    refused("JavaScript in a test query", "/api/run_test_function", 400, "PythonFunctionsOnly", body={}),
    refused("GET of nothing", "/nothing", 404, "NotFound", method="GET"),
    refused("GET of a POST route", "/api/mutation", 405, "MethodNotAllowed", method="GET"),
    Scenario("echo", "POST", "/echo", raw=b"any \x00 bytes", has=("any \x00 bytes",)),
    Scenario("version", "GET", "/version", has=("convexpy ",)),
    Scenario("instance version", "GET", "/instance_version", has=("convexpy ",)),
    Scenario("hello", "GET", "/", has=("Convex",)),
    Scenario("HEAD", "HEAD", "/version"),
    Scenario("debug event", "POST", "/api/debug_event", {}),
]


def _raw(server: ServerProcess, scenario: Scenario) -> tuple[int, str, dict[str, str]]:
    sent = {"Content-Type": "application/json", **ORIGIN, **scenario.headers}
    if scenario.admin:
        sent["Authorization"] = f"Convex {server.admin_key}"
    data = scenario.raw
    if data is None and scenario.body is not None:
        data = json.dumps(scenario.body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=200)
    try:
        connection.request(
            scenario.method, scenario.path, body=data, headers={k: v for k, v in sent.items() if v}
        )
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, response.read().decode(), headers
    finally:
        connection.close()


def _sent(value: Any) -> Any:
    """Return a value as it is sent: numbers are doubles, and have a point."""
    if isinstance(value, dict):
        return {name: _sent(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_sent(item) for item in value]
    return float(value) if type(value) is int else value


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_request_has_its_answer_and_the_next_call_works(api: ServerProcess, scenario: Scenario) -> None:
    items = api.call("query", "fn:list")
    status, text, headers = _raw(api, scenario)
    assert status == scenario.status, text
    assert headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert headers["access-control-allow-credentials"] == "true"
    for part in scenario.has:
        assert part in text
    for part in (*scenario.lacks, *OURS, api.admin_key):
        assert part not in text
    if scenario.code is not None:
        assert json.loads(text).keys() == {"code", "message"}
        assert json.loads(text)["code"] == scenario.code
    if scenario.value is not ...:
        answer = json.loads(text)
        assert answer["status"] == "success", answer
        assert json.dumps(answer["value"], sort_keys=True) == json.dumps(
            _sent(scenario.value), sort_keys=True
        )
    if scenario.status != 200 or '"status":"error"' in text:
        assert api.call("query", "fn:list") == items, "nothing may have been written"
    assert api.call("query", "fn:echo", after=scenario.name) == {"after": scenario.name}


def test_a_forged_key_is_refused(api: ServerProcess) -> None:
    name, secret = api.admin_key.split("|")
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    for key in (
        f"{name}|{flipped}",
        f"{name}|{secret[:-2]}",
        f"x{name}|{secret}",
        f"{name}|02{secret[2:]}",
        f"{name}|",
    ):
        status, answer, _ = api.request(
            "POST", "/api/function", call("fn:hidden"), headers={"Authorization": f"Convex {key}"}
        )
        assert (status, answer["code"]) == (403, "BadDeployKey"), key
    for key in (api.admin_key, f"prod:{api.admin_key}", f"dev:{api.admin_key}"):
        for scheme in ("Convex", "convex"):
            headers = {"Authorization": f"{scheme} {key}"}
            assert api.request("POST", "/api/function", call("fn:hidden"), headers=headers)[1]["value"] == 41


def test_an_admin_can_act_as_a_user(api: ServerProcess) -> None:
    claims = {"issuer": "https://issuer.test", "subject": "u1", "name": "Al"}
    for given, expected in (
        (claims, {**claims, "tokenIdentifier": "https://issuer.test|u1"}),
        ({"tokenIdentifier": "t"}, {"tokenIdentifier": "t"}),
    ):
        acting = base64.b64encode(json.dumps(given).encode()).decode()
        headers = {"Authorization": f"Convex {api.admin_key}:{acting}"}
        answer = api.request("POST", "/api/query", call("fn:who"), headers=headers)[1]
        assert answer["value"] == expected
    for broken in ("*", base64.b64encode(b"[1]").decode(), base64.b64encode(b'{"name": "x"}').decode()):
        headers = {"Authorization": f"Convex {api.admin_key}:{broken}"}
        status, answer, _ = api.request("POST", "/api/query", call("fn:who"), headers=headers)
        assert (status, answer["code"]) == (400, "HeaderParseFailure")
    assert api.call("query", "fn:who") is None


def test_a_preflight_allows_what_browsers_send(api: ServerProcess) -> None:
    asked = "authorization,content-type,convex-client,digest"
    for path in ("/api/query", "/api/storage/upload", "/version", "/nothing"):
        headers = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
        status, _, answer = api.request("OPTIONS", path, headers=headers)
        assert status == 200
        assert answer["access-control-allow-origin"] == ORIGIN["Origin"]
        assert answer["access-control-allow-credentials"] == "true"
        assert answer["access-control-allow-methods"] == "GET, POST, OPTIONS, PATCH, DELETE, PUT"
        assert answer["access-control-allow-headers"] == asked
        assert answer["access-control-max-age"] == "86400"
        assert "origin" in answer["vary"]


def test_lone_surrogates_are_refused_wherever_they_are(api: ServerProcess) -> None:
    for body in (
        b'{"path": "fn:echo", "args": {"a": "\\ud800"}}',
        b'{"path": "fn:echo", "args": {"\\udfff": 1}}',
        b'{"path": "fn:\\ud800", "args": {}}',
        b'{"path": "fn:echo", "args": [{"a": ["x\\ud83dy"]}]}',
    ):
        status, answer, _ = api.request("POST", "/api/query", raw=body)
        assert status == 400 or answer["status"] == "error", (body, answer)
        assert api.call("query", "fn:echo", a="\U0001f600") == {"a": "\U0001f600"}


def test_deep_and_huge_numbers_do_not_hurt(api: ServerProcess) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for args in (b'{"a": %s}' % deep, deep, b'{"a": 1e999}', b'{"a": %s}' % (b"9" * 5000)):
        status, answer, _ = api.request("POST", "/api/query", raw=b'{"path": "fn:echo", "args": %s}' % args)
        assert status == 400 or answer["status"] == "error", (args[:20], answer)
        status, answer, _ = api.request("POST", "/api/query", raw=args)
        assert status == 400
        assert api.call("query", "fn:echo", n=1) == {"n": 1}
    assert api.call("query", "fn:echo", a=json.loads("[" * 63 + "]" * 63))


def test_query_at_ts_answers_as_of_a_moment(api: ServerProcess) -> None:
    def moment_is_kept() -> str | None:
        # The server tidies up after a push, and no query looks behind that.
        ts: str = api.request("POST", "/api/query_ts", raw=b"")[1]["ts"]
        api.call("mutation", "fn:add", n=0)
        status = api.request("POST", "/api/query_at_ts", {"path": "fn:list", "args": {}, "ts": ts})[0]
        return ts if status == 200 else None

    wait_for(moment_is_kept, what="a moment that is kept")
    ts = api.request("POST", "/api/query_ts", raw=b"")[1]["ts"]
    assert len(base64.b64decode(ts)) == 8
    asked = {"path": "fn:list", "args": {}, "ts": ts}
    before = api.request("POST", "/api/query_at_ts", asked)[1]["value"]
    assert before == api.call("query", "fn:list")
    api.call("mutation", "fn:add", n=1)
    assert api.request("POST", "/api/query_at_ts", asked)[1]["value"] == before
    assert api.call("query", "fn:list") == [*before, 1]
    untouched = {"path": "fn:echo", "args": {"a": 1}, "ts": ts}
    assert api.request("POST", "/api/query_at_ts", untouched)[1]["value"] == {"a": 1}
    later = api.request("POST", "/api/query_ts", raw=b"")[1]["ts"]
    assert int.from_bytes(base64.b64decode(later), "little") > int.from_bytes(base64.b64decode(ts), "little")
    assert api.request("POST", "/api/query_at_ts", {**asked, "ts": later})[1]["value"] == [*before, 1]


def test_an_argument_of_sixteen_mebibytes_is_taken(api: ServerProcess) -> None:
    text = "x" * (16 * 2**20 - 100)
    status, answer, _ = api.request("POST", "/api/query", {"path": "fn:echo", "args": {"a": text}})
    assert status == 200
    assert answer["status"] == "success", answer["errorMessage"][:200]
    assert answer["value"]["a"] == text


def test_the_request_id_of_the_caller_is_used(api: ServerProcess) -> None:
    headers = {"Convex-Request-Id": "3fa1c0de9b12aa07"}
    answer = api.request("POST", "/api/query", call("fn:fail"), headers=headers)[1]
    assert answer["errorMessage"].startswith("[Request ID: 3fa1c0de9b12aa07] Server Error\n")
    answer = api.failure("query", "fn:fail")
    assert len(answer["errorMessage"].partition("]")[0].removeprefix("[Request ID: ")) == 16


def test_head_has_no_body_and_the_name_is_that_of_the_key(api: ServerProcess) -> None:
    status, body, headers = api.request("HEAD", "/version")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert api.request("GET", "/instance_name")[1].decode() == api.admin_key.split("|")[0]


def test_the_folder_of_the_server_is_not_told(api: ServerProcess, tmp_path: Path) -> None:
    answer = api.failure("query", "fn:fail")
    assert str(api.data) not in json.dumps(answer)
    assert str(tmp_path.parent) not in json.dumps(answer)


def test_a_client_header_without_a_version_is_refused(server: ServerProcess) -> None:
    status, answer, _ = server.request(
        "POST", "/api/query", {"path": "a:b", "args": {}}, headers={"Convex-Client": "nonsense"}
    )
    assert (status, answer["code"]) == (400, "InvalidClientVersion")
    status, _, _ = server.request(
        "POST", "/api/query", {"path": "a:b", "args": {}}, headers={"Convex-Client": "npm-cli-1.48.0"}
    )
    assert status == 200
