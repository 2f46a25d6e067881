"""The functions of an app as the official tools list them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convexpy.protocol.app_description import FunctionDescription, RouteDescription
from convexpy.values import official_json


def function_spec(
    functions: Iterable[FunctionDescription], routes: Iterable[RouteDescription]
) -> list[dict[str, Any]]:
    """Return functions by path, then routes: identifiers with `.js`, a missing validator as `any`."""
    found: list[dict[str, Any]] = [
        {
            "identifier": each.path.replace(":", ".js:"),
            "functionType": each.kind.capitalize(),
            "visibility": {"kind": each.visibility},
            "args": official_json(each.args),
            "returns": official_json(each.returns or {"type": "any"}),
        }
        for each in sorted(functions, key=lambda each: each.path)
    ]
    return found + [
        {"functionType": "HttpAction", "method": each.method, "path": each.pattern} for each in routes
    ]
