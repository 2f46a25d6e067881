"""Which request a scheduled job ran as: what leads from a job to its log, and is kept as the log is, in memory."""

from __future__ import annotations

from collections import OrderedDict

KEPT = 20_000


class JobRequests:
    """Request ids by job id, of the latest runs."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, str] = OrderedDict()

    def note(self, job: str, request_id: str) -> None:
        """Remember the run of a job."""
        self._of[job] = request_id
        self._of.move_to_end(job)
        while len(self._of) > KEPT:
            self._of.popitem(last=False)

    def find(self, jobs: list[str]) -> dict[str, str]:
        """Return the request ids of those jobs that ran since the start of the server."""
        return {job: self._of[job] for job in jobs if job in self._of}
