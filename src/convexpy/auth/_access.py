"""Who a call is for, and what the holder of an admin key may do."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal, get_args

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
}
_SYSTEM_WRITES = re.compile(r"_system/(frontend/(addDocument|clearTablePage)|data:(insert|patch|delete))")
_SYSTEM_ENVIRONMENT = re.compile(r"_system/cli/queryEnvironmentVariables")
_SYSTEM_ABOUT = re.compile(r"_system/(cli/(modules|convexUrl)|frontend/(getSchemas|listCronJobs))")


class OperationNotPermitted(RequestError):
    """The key is genuine, but not for this."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"You do not have permission to perform this operation (deployment:{operation}).",
            status=403,
            code="OperationNotPermitted",
        )


class Access(msgspec.Struct, frozen=True):
    """What an admin key opens. `functions` are globs of paths, for keys that only run those."""

    kind: KeyKind = "admin"
    functions: tuple[str, ...] = ()

    def allows(self, operation: Operation) -> bool:
        """Say whether the key is for this."""
        return operation in _ALLOWED[self.kind]

    def require(self, operation: Operation) -> None:
        """Raise OperationNotPermitted unless the key is for this."""
        if not self.allows(operation):
            raise OperationNotPermitted(operation)

    def refused(self, kind: str, path: str) -> Operation | None:
        """Return the operation that running this function is and the key is not for; None if it may run."""
        if self.kind == "admin":
            return None
        operation = _operation(kind, path)
        if self.kind == "run" and not path.startswith("_system/"):
            named = any(fnmatchcase(path, glob) for glob in self.functions)
            return None if named else operation
        if self.kind == "read-only" and operation == "functions:run" and kind == "query":
            return None
        return None if self.allows(operation) else operation


def is_system_write(path: str) -> bool:
    """Say whether a system function that is open to holders of keys writes documents."""
    return _SYSTEM_WRITES.match(path) is not None


def _operation(kind: str, path: str) -> Operation:
    if not path.startswith("_system/"):
        return "functions:run"
    if path.startswith("_system/shell:"):
        return "code:run"
    if _SYSTEM_WRITES.match(path) or kind not in ("query", "system"):
        return "data:write"
    if _SYSTEM_ENVIRONMENT.match(path):
        return "env:view"
    return "functions:view" if _SYSTEM_ABOUT.match(path) else "data:view"


FULL_ACCESS = Access()


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
