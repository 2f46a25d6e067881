"""What a deployment says of itself: its functions, its schema, its address."""

from __future__ import annotations

import json

from convexpy.protocol.system.description import (
    GetCloudUrl,
    GetSchemas,
    ListFunctions,
    Schemas,
)
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import ConvexObject


@handles(ListFunctions)
def api_spec(context: CallContext, call: ListFunctions) -> list[ConvexObject]:
    """Return every function in the official form: identifiers with `.js`, a missing validator as `any`."""
    found: list[ConvexObject] = []
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


@handles(GetCloudUrl)
def cloud_url(context: CallContext, call: GetCloudUrl) -> str:
    """Return the public origin of the deployment."""
    return context.settings.cloud_url


@handles(GetSchemas)
def schemas(context: CallContext, call: GetSchemas) -> Schemas:
    """Return the active schema as the JSON string of the official form."""
    schema = context.app.schema
    empty = json.dumps({"tables": [], "schemaValidation": False})
    return Schemas(empty if schema is None else schema.export())
