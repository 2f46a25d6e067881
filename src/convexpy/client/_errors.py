"""What can go wrong between a client and a deployment."""

from __future__ import annotations

from typing import Any

from convexpy.errors import Error


class DeploymentError(Error):
    """A deployment refused a request. `status` is the HTTP status, `retry_on` what would make another try worthwhile.

    `retry_on` is `files`, `data`, `env`, `backoff` or `never`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        retry_on: str = "never",
        request_id: str | None = None,
        place: dict[str, Any] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.status = status
        self.retry_on = retry_on
        self.request_id = request_id
        self._place = place

    def to_json(self) -> dict[str, Any]:
        """Return `code message location hint data`; the location is the server's, as it was sent."""
        fields = super().to_json()
        return {**fields, "location": fields["location"] or self._place}


class Unreachable(DeploymentError):
    """Nothing answered, or what answered is not a deployment."""


class FunctionFailed(DeploymentError):
    """A function that was called raised an error. `data` is that of its `ConvexError`, `log_lines` what it printed."""

    def __init__(self, message: str, *, log_lines: list[Any], **details: Any) -> None:
        super().__init__(message, **details)
        self.log_lines = log_lines
