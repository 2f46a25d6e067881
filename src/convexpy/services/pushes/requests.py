"""What a push asks for, and what is known of the version that is live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from convexpy.protocol.admin_api import PushNote
from convexpy.services.pushes.sources import PushedModule


class PushConfig(msgspec.Struct, rename="camel", frozen=True):
    """Settings of the project that matter to its functions."""

    function_case: str = "snake"
    label: str = "convex"
    staged_indexes: tuple[str, ...] = ()
    """`table.index` of indexes to build in the background, although the schema does not say so."""


class VariableChange(msgspec.Struct):
    """A variable that is set in the moment in which the version goes live."""

    name: str
    value: str


class PushRequest(msgspec.Struct, rename="camel"):
    """The body of a push.

    `expected` is the version that the plan was made against, `allow` the consents that were given; without them nobody
    is asked. `required` variables must be set, `reads` are those that the code reads. Harm is counted from
    `large_table_documents` on, and for functions in `production`. `rollback` is the number of a kept version to make live
    again, instead of `modules` and `config`.
    """

    modules: dict[str, PushedModule]
    config: PushConfig = PushConfig()
    dry_run: bool = False
    expected: int | None = None
    allow: list[str] | None = None
    note: PushNote = PushNote()
    environment: list[VariableChange] = []
    required: list[str] = []
    reads: list[str] = []
    production: bool = True
    large_table_documents: int = 100_000
    rollback: int | None = None


@dataclass
class ActiveVersion:
    """The version that is live: number 0 is the empty app of a new deployment."""

    version: int = 0
    modules: dict[str, str] = field(default_factory=dict)
    config: PushConfig = field(default_factory=PushConfig)
    pushed: dict[str, Any] = field(default_factory=dict[str, Any])
    """`pushedAt` (milliseconds), `message actor commit branch dirty`, as far as known."""
