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
from convexpy.schema.official import function_spec
from convexpy.values import ConvexObject


@handles(ListFunctions)
def api_spec(context: CallContext, call: ListFunctions) -> list[ConvexObject]:
    """Return every function in the official form."""
    routes = () if context.app.http is None else context.app.http.describe()
    return function_spec((each.describe() for each in context.app.functions.values()), routes)


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
