"""Signing in with the official PyPI client, unmodified: tokens and admin keys, by WebSocket and by HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support.issuer import Issuer
from support.processes import ServerProcess

FUNCTIONS = """
from convexpy import internal_query, mutation, query

@query
def who(ctx):
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.subject

@mutation
def sign(ctx) -> str | None:
    identity = ctx.auth.get_user_identity()
    ctx.db.insert("signed", {"by": identity and identity.subject})
    return identity and identity.subject

@query
def count(ctx) -> int:
    return ctx.db.query("signed").count()

@internal_query
def hidden(ctx) -> str:
    return "hidden"
"""

BY_SOCKET = """
import asyncio, json, os, subprocess, sys
from convex import ConvexClient

url, token, other, key = sys.argv[1:]

KEEP_WRITING = '''
import sys, time
from convex.http_client import ConvexHttpClient
client = ConvexHttpClient(sys.argv[1])
for _ in range(200):
    client.mutation("fn:sign")
    time.sleep(0.05)
'''

def tell(name, value):
    print(json.dumps([name, value]), flush=True)

client = ConvexClient(url)
tell("anonymous", client.query("fn:who"))
client.set_auth(token)
tell("signed in", client.query("fn:who"))
tell("mutation", client.mutation("fn:sign"))
client.set_auth(other)
tell("another", client.query("fn:who"))
client.clear_auth()
tell("signed out", client.query("fn:who"))
client.set_admin_auth(key)
tell("admin", client.query("fn:hidden"))
tell("an admin is nobody", client.query("fn:who"))

async def watch():
    subscription = client.subscribe("fn:count")
    seen = []
    async for value in subscription:
        seen.append(value)
        if value == 3:
            break
        client.mutation("fn:sign")
    return seen

tell("async iteration", asyncio.run(watch()))

# The iterator gives the next change, and has none if nothing changes from then on: another client sees to that.
kept = client.subscribe("fn:count")
writer = subprocess.Popen([sys.executable, "-c", KEEP_WRITING, url])  # the iterator holds the interpreter
for results in client.watch_all():
    tell("watch_all", True)
    writer.kill()
    os._exit(0)  # leaving the loop would wait for the server, and threads of the client's own may crash at the end
"""

BY_HTTP = """
import json, sys
from convex.http_client import ConvexHttpClient

url, token, forged, key = sys.argv[1:]

def tell(name, value):
    print(json.dumps([name, value]), flush=True)

def refused(call, *args):
    try:
        return ["answered", call(*args)]
    except Exception as error:
        return [type(error).__name__, str(error)]

client = ConvexHttpClient(url)
tell("anonymous", client.query("fn:who"))
client.set_auth(token)
tell("signed in", client.query("fn:who"))
tell("mutation", client.mutation("fn:sign"))
client.set_auth(forged)
tell("forged", refused(client.query, "fn:who"))
client.clear_auth()
tell("signed out", client.query("fn:who"))
tell("hidden", refused(client.query, "fn:hidden"))
client.set_admin_auth(key)
tell("admin", client.query("fn:hidden"))
client.set_admin_auth(key + "00")
tell("forged key", refused(client.query, "fn:who"))
"""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def app(server: ServerProcess, issuer: Issuer) -> ServerProcess:
    server.push_ok({"fn.py": FUNCTIONS, "auth_config.py": issuer.auth_config()})
    return server


def told(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program; return what it told."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dict(json.loads(line) for line in ended.stdout.splitlines())


def test_by_socket(app: ServerProcess, issuer: Issuer) -> None:
    seen = told(BY_SOCKET, app.url, issuer.token("ada"), issuer.token("bob"), app.admin_key)
    assert seen.pop("watch_all") is True
    assert seen == {
        "anonymous": None,
        "signed in": "ada",
        "mutation": "ada",
        "another": "bob",
        "signed out": None,
        "admin": "hidden",
        "an admin is nobody": None,
        "async iteration": [1.0, 2.0, 3.0],
    }


def test_by_http(app: ServerProcess, issuer: Issuer) -> None:
    forged = issuer.forged()["expired"]
    seen = told(BY_HTTP, app.url, issuer.token("ada"), forged, app.admin_key)
    assert seen["forged"][0] == "Exception"
    assert seen["forged"][1].startswith("401 ")
    assert "Could not find public function" in seen["hidden"][1]
    assert seen["forged key"][1].startswith("403 BadDeployKey")
    assert {name: seen[name] for name in ("anonymous", "signed in", "mutation", "signed out", "admin")} == {
        "anonymous": None,
        "signed in": "ada",
        "mutation": "ada",
        "signed out": None,
        "admin": "hidden",
    }
