"""Every exception of convexpy, in one tree.

ConvexError(data)            raised by app code; `data` reaches the client
Error                        base of all that convexpy raises
├─ ArgumentError             arguments or a value do not fit a validator
├─ ReturnsError              a result does not fit the returns validator
├─ SchemaViolation           a document does not fit the schema of its table
├─ LimitExceeded             a limit of the transaction or of the deployment was passed
├─ DocumentNotFound          a write names a document that does not exist
├─ NotUnique                 `.unique()` found more than one document
├─ AuthError                 the token of a request is not valid
├─ FunctionError             a called function raised something other than a ConvexError
├─ FunctionNotFound          no function of that path, or not one this caller may see
├─ ProjectError              the developer's files are wrong: has a SourceLocation
├─ PushRejected              files and deployment disagree (stored documents, indexes, variables)
├─ RequestError              the caller of the HTTP or socket API is wrong: has an HTTP status
└─ Unavailable               overloaded, shutting down, storage full
InvariantViolation           a bug of convexpy; never caught but at the edge of a process
"""

from __future__ import annotations

from typing import Any, ClassVar

from convexpy.errors._location import (
    SourceLocation as SourceLocation,
    caller_location as caller_location,
    relative_file as relative_file,
    set_source_root as set_source_root,
)
from convexpy.errors._text import (
    did_you_mean as did_you_mean,
    sendable as sendable,
    sendable_json as sendable_json,
)


class ConvexError(Exception):
    """Raised by app code: crosses every call and reaches the client with `data`. Open to subclasses."""

    data: Any

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.data = data


class Error(Exception):
    """Base of all errors that convexpy itself raises.

    `code` is a stable CamelCase tag that tests and tools match on; `hint` says what to do next; `data` holds details.
    """

    default_code: ClassVar[str] = "Error"

    def __init_subclass__(cls, code: str = "", **options: Any) -> None:
        """Let errors of this class have a code: by default the class's name."""
        super().__init_subclass__(**options)
        cls.default_code = code or cls.__name__

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        hint: str | None = None,
        location: SourceLocation | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.hint = hint
        self.location = location
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """Return the error as tools read it: `code message location hint data`."""
        location = self.location.to_json() if self.location else None
        described: dict[str, Any] = sendable_json(
            {
                "code": self.code,
                "message": self.message,
                "location": location,
                "hint": self.hint,
                "data": self.data,
            }
        )
        return described


class ArgumentError(Error):
    """An argument is not what a function, a method of `ctx` or `Validator.check` takes.

    Arguments of a call that do not fit the validators of the function have the code `ArgumentValidationError`.
    """


class ReturnsError(Error, code="ReturnsValidationError"):
    """A result does not fit the returns validator."""


class SchemaViolation(Error):
    """A document does not fit the schema of its table."""


class LimitExceeded(Error):
    """A limit of the transaction or of the deployment was passed."""

    def __init__(self, message: str = "", *, limit: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self._limit = limit

    @property
    def limit(self) -> str:
        """The name of the limit, as in `ctx.meta.limits`: `"documents_written"`."""
        return self._limit


class DocumentNotFound(Error):
    """A write names a document that does not exist."""


class NotUnique(Error):
    """`.unique()` found more than one document."""


class AuthError(Error, code="Unauthenticated"):
    """The token of a request is not valid."""


class FunctionError(Error):
    """A called function raised something other than a `ConvexError`."""

    def __init__(
        self,
        message: str = "",
        *,
        function: str = "",
        request_id: str = "",
        traceback: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self._function = function
        self._request_id = request_id
        self._traceback = traceback

    @property
    def function(self) -> str:
        """The path of the function that failed: `"sessions:create"`."""
        return self._function

    @property
    def request_id(self) -> str:
        """The id under which `convexpy logs` finds the call."""
        return self._request_id

    @property
    def traceback(self) -> str:
        """The remote traceback."""
        return self._traceback


class FunctionNotFound(Error):
    """No function has this path, or none that this caller may see."""


class ProjectError(Error):
    """The developer's files are wrong: a module that does not import, a schema that makes no sense."""


class PushRejected(Error):
    """Files and deployment disagree, for instance stored documents that do not fit the new schema."""


class RequestError(Error, code="BadRequest"):
    """The caller of the HTTP or socket API is wrong. `status` is the HTTP status of the answer."""

    def __init__(self, message: str = "", *, status: int = 400, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = status


class Unavailable(Error):
    """Overloaded, shutting down or out of storage: the same request may succeed later."""


class InvariantViolation(AssertionError):
    """A bug of convexpy. Never caught but at the edge of a process, which logs it and stops."""
