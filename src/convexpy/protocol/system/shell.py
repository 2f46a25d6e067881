"""Python that the holder of an admin key types: `convexpy shell`, and `convexpy run --inline`."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject


class Evaluation(msgspec.Struct):
    """What running the source came to; `lost` names variables that are not Convex values and so can't be kept."""

    value: Any
    text: str
    changes: list[ConvexObject]
    scope: ConvexObject
    prelude: list[str]
    lost: list[str]


class Evaluate(SystemQuery[Evaluation], path="_system/shell:evaluate", operation="code:run"):
    """Run Python with a `ctx` that reads. `prelude` and `scope` are what earlier inputs have defined."""

    source: str
    prelude: list[str] = []
    scope: ConvexObject = {}


class EvaluateWrites(SystemMutation[Evaluation], path="_system/shell:write", operation="code:run"):
    """Run Python with a `ctx` that writes; kept only if it makes the changes of `commit`, which were agreed to."""

    source: str
    prelude: list[str] = []
    scope: ConvexObject = {}
    commit: list[ConvexObject] | None = None
