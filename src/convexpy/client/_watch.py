"""Watching one query over the sync protocol, from a plain thread or in an event loop."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from convexpy.client._admin import FunctionResult, result_of
from convexpy.client._errors import DeploymentError, FunctionFailed, Unreachable
from convexpy.client._transport import read_json


def watch_query(
    url: str,
    admin_key: str | None,
    path: str,
    args: Mapping[str, Any],
    *,
    identity: Mapping[str, Any] | None = None,
) -> Iterator[FunctionResult]:
    """Yield the result of a query, and again whenever it changes, until the connection ends.

    Raises:
        FunctionFailed: the query fails.
        Unreachable: no connection, or it was lost.
    """
    from websockets.exceptions import ConnectionClosed, InvalidHandshake
    from websockets.sync.client import connect

    try:
        with connect(_address(url), max_size=None, proxy=None) as socket:
            for message in _opening(admin_key, path, args, identity):
                socket.send(json.dumps(message))
            for frame in socket:
                yield from _results(read_json(frame))
    except ConnectionClosed as error:
        raise Unreachable(f"{url}: the connection was lost", retry_on="backoff") from error
    except (OSError, InvalidHandshake) as error:
        raise Unreachable(f"{url} does not take a WebSocket: {error}", retry_on="backoff") from error


async def watch_query_async(
    url: str,
    admin_key: str | None,
    path: str,
    args: Mapping[str, Any],
    *,
    identity: Mapping[str, Any] | None = None,
) -> AsyncGenerator[FunctionResult | FunctionFailed, None]:
    """Yield the result of a query, or its failure, and again whenever that changes, until the connection ends.

    Raises:
        Unreachable: no connection, or it was lost.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake

    try:
        async with connect(_address(url), max_size=None, proxy=None) as socket:
            for message in _opening(admin_key, path, args, identity):
                await socket.send(json.dumps(message))
            async for frame in socket:
                try:
                    for result in _results(read_json(frame)):
                        yield result
                except FunctionFailed as failure:
                    yield failure
    except ConnectionClosed as error:
        raise Unreachable(f"{url}: the connection was lost", retry_on="backoff") from error
    except (OSError, InvalidHandshake) as error:
        raise Unreachable(f"{url} does not take a WebSocket: {error}", retry_on="backoff") from error
    raise Unreachable(f"{url}: the connection was closed", retry_on="backoff")


def _address(url: str) -> str:
    return url.rstrip("/").replace("http", "ws", 1) + "/api/sync"


def _opening(
    admin_key: str | None, path: str, args: Mapping[str, Any], identity: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    yield {
        "type": "Connect",
        "sessionId": str(uuid.uuid4()),
        "connectionCount": 0,
        "lastCloseReason": "InitialConnect",
        "clientTs": 0,
    }
    if admin_key is not None:
        acting = {} if identity is None else {"impersonating": dict(identity)}
        yield {"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": admin_key, **acting}
    add = {"type": "Add", "queryId": 0, "udfPath": path, "args": [dict(args)]}
    yield {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [add]}


def _results(message: Mapping[str, Any]) -> Iterator[FunctionResult]:
    kind = message["type"]
    if kind in ("FatalError", "AuthError"):
        code = "KeyRejected" if kind == "AuthError" else "DeploymentError"
        raise DeploymentError(str(message.get("error")), code=code)
    if kind != "Transition":
        return
    for change in message["modifications"]:
        if change["type"] in ("QueryUpdated", "QueryFailed"):
            status = "success" if change["type"] == "QueryUpdated" else "error"
            yield result_of({**change, "status": status})
