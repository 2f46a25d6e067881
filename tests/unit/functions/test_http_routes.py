"""Routes of HTTP actions: which answers what, and wrong definitions."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from convexpy import ActionCtx, Request, Response, http_router
from convexpy.errors import ProjectError


async def answer(ctx: ActionCtx, request: Request) -> Response:
    return Response()


def named(name: str) -> Any:
    async def handler(ctx: ActionCtx, request: Request) -> Response:
        return Response(name)

    handler.__name__ = name
    return handler


def test_exact_paths_win_over_prefixes_and_longer_over_shorter() -> None:
    http = http_router()
    for path in ("/", "/a/", "/a/b/"):
        http.route(path_prefix=path, method="GET", handler=named(f"prefix {path}"))
    http.route("/a/b/c", method="GET", handler=named("exact"))
    http.route("/a/b/", method="POST", handler=named("post"))

    def found(method: str, path: str) -> str | None:
        route = http.match(method, path)
        return route and route.handler.__name__

    assert found("GET", "/a/b/c") == "exact"
    assert found("GET", "/a/b/d") == "prefix /a/b/"
    assert found("GET", "/a/b/") == "prefix /a/b/"
    assert found("GET", "/a/x") == "prefix /a/"
    assert found("GET", "/a") == "prefix /"
    assert found("HEAD", "/a/b/c") == "exact"
    assert found("POST", "/a/b/") == "post"
    assert found("POST", "/a/b/c") is None
    assert found("DELETE", "/") is None


def test_routes_stack_and_return_the_function() -> None:
    http = http_router()

    @http.route("/upload", methods=["POST", "PUT"])
    @http.route(path_prefix="/upload/", method="POST")
    async def upload(ctx: ActionCtx, request: Request) -> Response:
        return await answer(ctx, request)

    assert http.route("/old", method="POST", handler=upload) is upload
    described = [(each.method, each.path, each.path_prefix) for each in http.describe()]
    assert described == [
        ("POST", None, "/upload/"),
        ("POST", "/upload", None),
        ("PUT", "/upload", None),
        ("POST", "/old", None),
    ]
    assert str(http.describe()[0].file).endswith("test_http_routes.py")


def test_cors_rules_cover_a_path_or_a_prefix() -> None:
    http = http_router()
    http.cors("/api/", origins=["https://a.example"], headers=["x-a"], max_age=60)
    http.cors("/api/b/", origins=["*"], max_age=timedelta(minutes=5))
    http.cors("/one", origins=["*"])

    def found(path: str) -> str | None:
        rule = http.cors_for(path)
        return rule and rule.path

    assert [found(path) for path in ("/api/x", "/api/b/x", "/api", "/one", "/one/x")] == [
        "/api/",
        "/api/b/",
        None,
        "/one",
        None,
    ]
    assert msgspec.json.decode(msgspec.json.encode(http.cors_rules[0])) == {
        "path": "/api/",
        "origins": ["https://a.example"],
        "headers": ["x-a"],
        "maxAgeS": 60,
    }
    assert http.cors_rules[1].max_age_s == 300


def not_async(ctx: Any, request: Any) -> Any: ...


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"args": ["x"], "method": "GET", "handler": answer}, "starts with '/'"),
        ({"path_prefix": "/x", "method": "GET", "handler": answer}, "ends with '/'"),
        (
            {"args": ["/x"], "path_prefix": "/x/", "method": "GET", "handler": answer},
            "a path or a path_prefix",
        ),
        ({"method": "GET", "handler": answer}, "a path or a path_prefix"),
        ({"args": ["/x"], "handler": answer}, "a method or several"),
        ({"args": ["/x"], "method": "GET", "methods": ["GET"], "handler": answer}, "a method or several"),
        ({"args": ["/x"], "method": "HEAD", "handler": answer}, "'HEAD' is not a method"),
        ({"args": ["/x"], "methods": [], "handler": answer}, "at least one method"),
        ({"args": ["/x"], "method": "GET", "handler": not_async}, "is an async def function"),
        ({"args": ["/taken"], "method": "GET", "handler": answer}, "two handlers for GET path '/taken'"),
    ],
)
def test_wrong_routes_say_where_they_are(options: dict[str, Any], words: str) -> None:
    http: Any = http_router()
    http.route("/taken", method="GET", handler=answer)
    options = dict(options)
    with pytest.raises(ProjectError, match=words) as caught:
        http.route(*options.pop("args", ()), **options)
    assert caught.value.location is not None
    assert caught.value.location.file.endswith("test_http_routes.py")


def test_wrong_cors_rules() -> None:
    http = http_router()
    http.cors("/a", origins=["*"])
    with pytest.raises(ProjectError, match="two CORS rules"):
        http.cors("/a", origins=["*"])
    with pytest.raises(ProjectError, match="lists of strings"):
        http.cors("/b", origins="*")
