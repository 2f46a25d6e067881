"""Environment variables: executors hold them as they are stored, encrypted; the key is the server's."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
from convexpy.values import Document


class ListVariables(SystemQuery[list[Document]]):
    """Every variable, sorted by name."""

    path: ClassVar[str] = "_system/cli/queryEnvironmentVariables"
    operation: ClassVar[Operation | None] = "env:view"


class Variable(msgspec.Struct):
    """A variable."""

    name: str
    value: str


class GetVariable(SystemQuery[Variable | None]):
    """One variable."""

    path: ClassVar[str] = "_system/cli/queryEnvironmentVariables:get"
    operation: ClassVar[Operation | None] = "env:view"
    name: str = ""


class VariableChange(msgspec.Struct):
    """A variable to set, or without a value to remove."""

    name: str
    value: str | None = None


class UpdateVariables(SystemMutation[dict[str, str]]):
    """Apply all changes, checked and encrypted; the result is all variables as stored.

    With `again` the values are what they were, encrypted with another nonce or key.
    """

    path: ClassVar[str] = "_system/environment:update"
    changes: list[VariableChange]
    again: bool = False
