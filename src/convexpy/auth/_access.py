"""Who a call is for, and what the holder of an admin key may do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, get_args

import msgspec

from convexpy.errors import RequestError

KeyKind = Literal["admin", "deploy", "read-only", "run"]

Operation = Literal[
    "deploy", "env:view", "env:write", "logs:view", "data:view", "data:write", "functions:view", "functions:run",
    "keys:manage", "actAsUser", "code:run",
]  # fmt: skip

_ALLOWED: dict[str, frozenset[str]] = {
    "admin": frozenset(get_args(Operation)),
    "deploy": frozenset({"deploy", "env:write", "logs:view", "functions:view", "functions:run"}),
    "read-only": frozenset({"data:view", "logs:view", "functions:view"}),
    "run": frozenset(),
    "server": frozenset(get_args(Operation)),
    "app": frozenset({"functions:run"}),
}


class SystemFunction(NamedTuple):
    """A system function that holders of keys may call: as what it is called, and which operation that is."""

    kind: Literal["query", "mutation"]
    operation: Operation


_VIEW = SystemFunction("query", "data:view")
_WRITE = SystemFunction("mutation", "data:write")
_ABOUT = SystemFunction("query", "functions:view")
SYSTEM_FUNCTIONS = {
    **dict.fromkeys(("_system/cli/queryEnvironmentVariables", "_system/cli/queryEnvironmentVariables:get"),
                    SystemFunction("query", "env:view")),
    **dict.fromkeys(
        (
            "_system/cli/exports:getLatest", "_system/cli/queryImport", "_system/cli/queryImport:list",
            "_system/cli/queryTable", "_system/cli/tableData", "_system/cli/tableSize", "_system/cli/tables",
            "_system/crons:history", "_system/data:get", "_system/data:page", "_system/data:tables",
            "_system/exports:find", "_system/exports:list", "_system/frontend/listTableScan",
            "_system/scheduling:get", "_system/scheduling:list", "_system/storage:document", "_system/storage:url",
        ),
        _VIEW,
    ),
    **dict.fromkeys(
        (
            "_system/cli/convexUrl:cloudUrl", "_system/cli/modules:apiSpec", "_system/frontend/getSchemas",
            "_system/crons:list", "_system/frontend/listCronJobs", "_system/push:history",
        ),
        _ABOUT,
    ),
    **dict.fromkeys(
        (
            "_system/data:delete", "_system/data:insert", "_system/data:patch", "_system/frontend/addDocument",
            "_system/frontend/clearTablePage",
        ),
        _WRITE,
    ),
    "_system/shell:evaluate": SystemFunction("query", "code:run"),
    "_system/shell:write": SystemFunction("mutation", "code:run"),
}  # fmt: skip
"""All that keys open. Every other system function is called by the server alone, whatever the key."""


def system_function(path: str) -> SystemFunction | None:
    """Return what holders of keys may call by this path, or None."""
    return SYSTEM_FUNCTIONS.get(path.removesuffix(":default"))


class OperationNotPermitted(RequestError):
    """The key is genuine, but not for this."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"You do not have permission to perform this operation (deployment:{operation}).",
            status=403,
            code="OperationNotPermitted",
        )


class Access(msgspec.Struct, frozen=True):
    """What a call opens: that of an admin key, of the server's own calls, or of those of app code.

    `functions` are globs of paths, for keys that only run those.
    """

    kind: KeyKind | Literal["server", "app"] = "admin"
    functions: tuple[str, ...] = ()

    def allows(self, operation: Operation) -> bool:
        """Say whether the key is for this."""
        return operation in _ALLOWED[self.kind]

    def require(self, operation: Operation) -> None:
        """Raise OperationNotPermitted unless the key is for this."""
        if not self.allows(operation):
            raise OperationNotPermitted(operation)

    def refused(self, kind: str, path: str) -> Operation | None:
        """Return the operation that running this function is and the key is not for; None if it may run or is not there."""
        if path.startswith("_system/"):
            system = system_function(path)
            if self.kind in ("admin", "server", "app"):
                return None
            if system is None:
                return "data:write"
            return None if system.kind == kind and self.allows(system.operation) else system.operation
        if self.kind == "run":
            return None if any(fnmatchcase(path, glob) for glob in self.functions) else "functions:run"
        reads = self.kind == "read-only" and kind == "query"
        return None if reads or self.allows("functions:run") else "functions:run"

    def finds(self, kind: str, path: str) -> bool:
        """Say whether a system function is there for calls of this kind. App code finds none, a key only what is listed."""
        if self.kind in ("server", "app"):
            return self.kind == "server"
        system = system_function(path)
        return system is not None and system.kind == kind


FULL_ACCESS = Access()
SERVER_ACCESS = Access("server")
APP_ACCESS = Access("app")


class Caller(msgspec.Struct, frozen=True):
    """Who a call is for. `claims` is JSON of the identity, or empty; `access` is there for holders of an admin key.

    `key_id` is that of a key with a record, which may be revoked. A token that is not valid leaves its refusal in
    `token_error`, where the call is to go on without an identity.
    """

    claims: bytes = b""
    access: Access | None = None
    expires_at_s: float | None = None
    token_error: str = ""
    key_id: str = ""

    @property
    def admin(self) -> bool:
        """Whether internal functions are open to the caller."""
        return self.access is not None

    @property
    def described(self) -> str:
        """The kind of caller, as log records name it."""
        return "instance_admin" if self.admin else "user" if self.claims else "unknown"


ANONYMOUS = Caller()
