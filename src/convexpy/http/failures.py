"""The response to a request that failed."""

from __future__ import annotations

import logging

from convexpy.errors import Error, RequestError
from convexpy.http.messages import Response, error_response
from convexpy.persistence import DISK_FULL, StoreUnreachable

logger: logging.Logger = logging.getLogger("convexpy.http")


def failure_response(error: Exception, method: str, path: str) -> Response:
    """Return the response for an exception; what is not the client's mistake is logged."""
    if isinstance(error, RequestError):
        return error_response(error)
    if isinstance(error, Error):
        logger.warning("%s %s failed: %s", method, path, error)
        return error_response(RequestError(error.message, code=error.code, status=503))
    if isinstance(error, StoreUnreachable):
        logger.warning("%s %s failed: %s", method, path, error)
        return error_response(
            RequestError("the database does not answer", code="DatabaseUnreachable", status=503)
        )
    logger.error("%s %s failed", method, path, exc_info=error)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        text = "the server has no room to store this"
        return error_response(RequestError(text, code="StorageFull", status=503))
    text = "Your request couldn't be completed. Try again later."
    return error_response(RequestError(text, code="InternalServerError", status=500))
