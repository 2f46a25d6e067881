"""JSON-RPC 2.0, a message a line: the part of the Model Context Protocol that knows nothing of deployments.

Format: https://modelcontextprotocol.io/specification. Standard output is protocol only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


class InvalidParams(Exception):
    """A tool is unknown, or its arguments are not those that it takes."""


class Server:
    """Answers requests until the input ends. `call` runs a tool and returns its text; what it raises is the answer."""

    def __init__(
        self,
        name: str,
        version: str,
        tools: Iterable[Mapping[str, Any]],
        call: Callable[[str, dict[str, Any]], str],
        describe_error: Callable[[Exception], str],
    ) -> None:
        self._info = {"name": name, "version": version}
        self._tools = list(tools)
        self._call = call
        self._describe_error = describe_error

    def serve(self, source: TextIO, sink: TextIO) -> None:
        """Read requests from `source` and write answers to `sink`, one at a time."""
        for line in source:
            if not line.strip():
                continue
            answer = self.answer(line)
            if answer is not None:
                sink.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n")
                sink.flush()

    def answer(self, line: str) -> dict[str, Any] | None:
        """Return the answer to one message, None for a notification."""
        try:
            message = json.loads(line)
        except ValueError as error:
            return _failed(None, PARSE_ERROR, f"not JSON: {error}")
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _failed(None, INVALID_REQUEST, "a request is an object with a method")
        id, params = message.get("id"), message.get("params") or {}
        if id is None:
            return None
        try:
            return {"jsonrpc": "2.0", "id": id, "result": self._result(message["method"], params)}
        except InvalidParams as error:
            return _failed(id, INVALID_PARAMS, str(error))
        except NotImplementedError:
            return _failed(id, METHOD_NOT_FOUND, f"no method {message['method']!r}")

    def _result(self, method: str, params: Any) -> dict[str, Any]:
        if method == "initialize":
            asked = params.get("protocolVersion")
            version = asked if asked in VERSIONS else VERSIONS[0]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": self._info}
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": self._tools}
        if method == "tools/call":
            return self._tool(params)
        raise NotImplementedError

    def _tool(self, params: Any) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments") or {}
        known = next((tool for tool in self._tools if tool["name"] == name), None)
        if known is None:
            raise InvalidParams(f"no tool {name!r}")
        _check(known["inputSchema"], arguments)
        try:
            text, failed = self._call(str(name), arguments), False
        except InvalidParams:
            raise
        except Exception as error:  # noqa: BLE001 - a tool that fails is an answer, not the end
            text, failed = self._describe_error(error), True
        return {"content": [{"type": "text", "text": text}], "isError": failed}


def _check(schema: Mapping[str, Any], arguments: Any) -> None:
    if not isinstance(arguments, dict):
        raise InvalidParams("arguments are an object")
    missing = [name for name in schema.get("required", ()) if name not in arguments]
    unknown = [name for name in arguments if name not in schema["properties"]]
    if missing or unknown:
        raise InvalidParams(
            "; ".join([f"{name}: missing" for name in missing] + [f"{name}: unknown" for name in unknown])
        )
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float),
    }  # fmt: skip
    for name, value in arguments.items():
        wanted = schema["properties"][name].get("type")
        if wanted in kinds and not isinstance(value, kinds[wanted]):
            raise InvalidParams(f"{name}: must be of type {wanted}")


def _failed(id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


def run(server: Server) -> None:
    """Serve standard input and output."""
    server.serve(sys.stdin, sys.stdout)
