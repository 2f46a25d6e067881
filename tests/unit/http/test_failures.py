"""What a request is answered when the server itself fails: enough to know what to do, and nothing of the inside."""

from __future__ import annotations

import errno
import json

import pytest

from convexpy.errors import Error
from convexpy.http.failures import failure_response
from convexpy.persistence import StoreUnreachable


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnreachable("PostgreSQL at db.internal: connection refused"), 503, "DatabaseUnreachable"),
        (OSError(errno.ENOSPC, "no space on db.internal"), 503, "StorageFull"),
        (Error("try again", code="Busy"), 503, "Busy"),
        (RuntimeError("db.internal"), 500, "InternalServerError"),
    ],
)
def test_a_failure_of_the_server_has_a_code_and_tells_nothing_of_the_inside(
    error: Exception, status: int, code: str
) -> None:
    response = failure_response(error, "GET", "/api/tables")
    assert (response.status, json.loads(response.body)["code"]) == (status, code)
    assert b"db.internal" not in response.body
