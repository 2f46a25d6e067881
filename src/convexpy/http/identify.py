"""Who sends a request: the `Authorization` header."""

from __future__ import annotations

from convexpy.access import ANONYMOUS, Caller
from convexpy.engine.identities import Identities
from convexpy.errors import AuthError, RequestError
from convexpy.http.messages import HttpRequest
from convexpy.protocol.system import Operation


async def caller_of(identities: Identities, request: HttpRequest) -> Caller:
    """Return the caller.

    Raises:
        RequestError: the header is malformed (400), the token not valid (401) or the key not valid (403).
    """
    client = request.headers.get(b"convex-client")
    if client is not None and b"-" not in client:
        raise RequestError(
            f"the header Convex-Client names a client and its version, as npm-1.48.0: {client[:60].decode('latin-1')!r}",
            code="InvalidClientVersion",
        )
    header = request.headers.get(b"authorization")
    if header is None:
        key = request.query("adminKey") if request.scope["query_string"] else None
        return ANONYMOUS if key is None else identities.of_key(key)
    scheme, _, value = header.decode("latin-1").strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "convex" and value:
        return identities.of_key(value)
    if scheme.lower() == "bearer" and value:
        try:
            return await identities.of_token(value)
        except AuthError as error:
            raise RequestError(error.message, status=401, code=error.code) from error
    raise RequestError(
        "write `Authorization: Bearer <token>` or `Authorization: Convex <admin key>`",
        code="InvalidHeaderFailure",
    )


async def caller_of_http_action(identities: Identities, request: HttpRequest) -> Caller:
    """Return the caller of an HTTP action: a header that is not a valid token is the app's business, and refuses nothing."""
    if request.headers.get(b"authorization") is None:
        return ANONYMOUS
    try:
        return await caller_of(identities, request)
    except RequestError as error:
        return Caller(token_error=error.message)


async def admin_for(identities: Identities, request: HttpRequest, operation: Operation) -> Caller:
    """Return the caller, who must hold an admin key that is for this operation.

    Raises:
        RequestError: no admin key, not a valid one, or one for other things (403).
    """
    caller = await caller_of(identities, request)
    if caller.access is None:
        raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
    caller.access.require(operation)
    return caller
