"""What a deployment says of itself, in the forms of the official tools: its functions, its schema, its address."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemQuery
from convexpy.values import ConvexObject


class ListFunctions(
    SystemQuery[list[ConvexObject]], path="_system/cli/modules:apiSpec", operation="functions:view"
):
    """Every function and route: identifiers with `.js`, a missing validator as `any`."""


class GetCloudUrl(SystemQuery[str], path="_system/cli/convexUrl:cloudUrl", operation="functions:view"):
    """The public origin of the deployment."""


class Schemas(msgspec.Struct):
    """The active schema as the JSON text of the official form."""

    active: str


class GetSchemas(SystemQuery[Schemas], path="_system/frontend/getSchemas", operation="functions:view"):
    """The active schema."""
