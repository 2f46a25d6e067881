"""What a deployment says of itself: its functions, its schema, its address."""

from __future__ import annotations

import json
from typing import Any

from convexpy.sandbox.host import CallContext


def api_spec(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every function in the official form: identifiers with `.js`, a missing validator as `any`."""
    found: list[dict[str, Any]] = []
    for path, definition in sorted(context.app.functions.items()):
        module, _, name = path.partition(":")
        takes, returns = definition.args, definition.returns
        found.append(
            {
                "identifier": f"{module}.js:{name}",
                "functionType": definition.kind.capitalize(),
                "visibility": {"kind": definition.visibility},
                "args": {"type": "any"} if takes is None else takes.export(),
                "returns": {"type": "any"} if returns is None else returns.export(),
            }
        )
    routes = () if context.app.http is None else context.app.http.describe()
    return found + [
        {"functionType": "HttpAction", "method": route.method, "path": route.pattern} for route in routes
    ]


def cloud_url(context: CallContext, args: dict[str, Any]) -> str:
    """Return the public origin of the deployment."""
    return context.settings.cloud_url


def schemas(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Return the active schema as the JSON string of the official form."""
    schema = context.app.schema
    empty = json.dumps({"tables": [], "schemaValidation": False})
    return {"active": empty if schema is None else schema.export()}


FUNCTIONS = {
    "_system/cli/modules:apiSpec": api_spec,
    "_system/cli/convexUrl:cloudUrl": cloud_url,
    "_system/frontend/getSchemas": schemas,
}
