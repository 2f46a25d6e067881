"""What a deployment says of itself, in the forms of the official tools: its functions, its schema, its address."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import Operation, SystemQuery
from convexpy.values import ConvexObject


class ListFunctions(SystemQuery[list[ConvexObject]]):
    """Every function and route: identifiers with `.js`, a missing validator as `any`."""

    path: ClassVar[str] = "_system/cli/modules:apiSpec"
    operation: ClassVar[Operation | None] = "functions:view"


class GetCloudUrl(SystemQuery[str]):
    """The public origin of the deployment."""

    path: ClassVar[str] = "_system/cli/convexUrl:cloudUrl"
    operation: ClassVar[Operation | None] = "functions:view"


class Schemas(msgspec.Struct):
    """The active schema as the JSON text of the official form."""

    active: str


class GetSchemas(SystemQuery[Schemas]):
    """The active schema."""

    path: ClassVar[str] = "_system/frontend/getSchemas"
    operation: ClassVar[Operation | None] = "functions:view"
