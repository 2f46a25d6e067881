"""Who sends a request: the `Authorization` header."""

from __future__ import annotations

from convexpy.deployment.backend import FunctionRunner
from convexpy.errors import RequestError
from convexpy.http.messages import HttpRequest
from convexpy.sync.session import Caller

ANONYMOUS = Caller()


def caller_of(functions: FunctionRunner, request: HttpRequest) -> Caller:
    """Return the caller.

    Raises:
        RequestError: the header is malformed (400), the token not valid (401) or the key not valid (403).
    """
    client = request.headers.get(b"convex-client")
    if client is not None and b"-" not in client:
        raise RequestError(
            f"the header Convex-Client names a client and its version, as npm-1.48.0: {client.decode('latin-1')!r}",
            code="InvalidClientVersion",
        )
    header = request.headers.get(b"authorization")
    if header is None:
        key = request.query("adminKey") if request.scope["query_string"] else None
        return ANONYMOUS if key is None else functions.admin(key)
    scheme, _, value = header.decode("latin-1").strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "convex" and value:
        return functions.admin(value)
    if scheme.lower() == "bearer" and value:
        raise RequestError(
            "No auth provider found matching the given token: the app has no auth_config.py",
            status=401,
            code="NoAuthProvider",
        )
    raise RequestError(
        "write `Authorization: Bearer <token>` or `Authorization: Convex <admin key>`",
        code="InvalidHeaderFailure",
    )


def admin_only(functions: FunctionRunner, request: HttpRequest) -> Caller:
    """Return the caller, who must be an admin.

    Raises:
        RequestError: no admin key, or not a valid one (403).
    """
    caller = caller_of(functions, request)
    if not caller.admin:
        raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
    return caller
