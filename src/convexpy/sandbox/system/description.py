"""What a deployment says of itself: its functions, its schema, its address."""

from __future__ import annotations

import json

from convexpy.protocol.system import description as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.schema.official import function_spec
from convexpy.values import ConvexObject


@handles(calls.ListFunctions)
def api_spec(context: CallContext, call: calls.ListFunctions) -> list[ConvexObject]:
    routes = () if context.app.http is None else context.app.http.describe()
    return function_spec((each.describe() for each in context.app.functions.values()), routes)


@handles(calls.GetCloudUrl)
def cloud_url(context: CallContext, call: calls.GetCloudUrl) -> str:
    return context.settings.cloud_url


@handles(calls.GetSchemas)
def schemas(context: CallContext, call: calls.GetSchemas) -> calls.Schemas:
    schema = context.app.schema
    empty = json.dumps({"tables": [], "schemaValidation": False})
    return calls.Schemas(empty if schema is None else schema.export())
