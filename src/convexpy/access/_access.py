"""Who a call is for, and what the holder of an admin key may do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import msgspec

from convexpy.errors import RequestError
from convexpy.protocol.system import SYSTEM_CALLS, Operation, SystemCall

KeyKind = Literal["admin", "deploy", "preview", "read-only", "run"]

_ALLOWED: dict[str, frozenset[str]] = {
    "admin": frozenset(get_args(Operation)),
    "deploy": frozenset({"deploy", "env:write", "logs:view", "functions:view", "functions:run", "previews"}),
    "preview": frozenset({"previews"}),
    "read-only": frozenset({"data:view", "logs:view", "functions:view"}),
    "run": frozenset(),
    "server": frozenset(get_args(Operation)),
    "app": frozenset({"functions:run"}),
}


def system_call(path: str) -> type[SystemCall[Any]] | None:
    """Return the system call that holders of keys may make by this path, or None.

    Every call that has no `operation` is made by the server alone, whatever the key.
    """
    call = SYSTEM_CALLS.get(path.removesuffix(":default"))
    return None if call is None or call.operation is None else call


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
            if self.kind in ("admin", "server", "app"):
                return None
            call = system_call(path)
            if call is None or call.operation is None:
                return "data:write"
            return None if call.kind == kind and self.allows(call.operation) else call.operation
        if self.kind == "run":
            return None if any(fnmatchcase(path, glob) for glob in self.functions) else "functions:run"
        reads = self.kind == "read-only" and kind == "query"
        return None if reads or self.allows("functions:run") else "functions:run"

    def finds(self, kind: str, path: str) -> bool:
        """Say whether a system function is there for calls of this kind. App code finds none, a key only what is listed."""
        if self.kind in ("server", "app"):
            return self.kind == "server"
        call = system_call(path)
        return call is not None and call.kind == kind


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
