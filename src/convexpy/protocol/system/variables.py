"""Environment variables: executors hold them as they are stored, encrypted; the key is the server's."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import Document


class ListVariables(
    SystemQuery[list[Document]], path="_system/cli/queryEnvironmentVariables", operation="env:view"
):
    """Every variable, sorted by name."""


class Variable(msgspec.Struct):
    """A variable."""

    name: str
    value: str


class GetVariable(
    SystemQuery[Variable | None], path="_system/cli/queryEnvironmentVariables:get", operation="env:view"
):
    """One variable."""

    name: str = ""


class VariableChange(msgspec.Struct):
    """A variable to set, or without a value to remove."""

    name: str
    value: str | None = None


class UpdateVariables(SystemMutation[dict[str, str]], path="_system/environment:update"):
    """Apply all changes, checked and encrypted; the result is all variables as stored.

    With `again` the values are what they were, encrypted with another nonce or key.
    """

    changes: list[VariableChange]
    again: bool = False
