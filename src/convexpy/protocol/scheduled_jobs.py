"""What the server and the executors both say about scheduled jobs and cron jobs."""

from __future__ import annotations

from convexpy.protocol.frames import CallFailure

JOBS = "_scheduled_functions"
CRONS = "_cron_jobs"
HAS_RUN, NOT_RUN = b"true", b"false"
"""What the answer to a job's call says."""


def error_text(failure: CallFailure | None) -> str | None:
    """Return what a job's document says about a failure: class and message, without frames."""
    return None if failure is None else failure.detail.split("\n    at ")[0]


def skipped_text(skipped: int, path: str) -> str:
    """Return the log line about runs that were skipped."""
    runs = "1 run" if skipped == 1 else f"{skipped} runs"
    return f"cron job: skipped {runs} of {path}, late by now"
