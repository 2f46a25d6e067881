"""What `convexpy schedule` and `convexpy crons` show, and canceling."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from convexpy.client import AdminClient
from convexpy_cli.context import Context
from convexpy_cli.output.units import local_time, moment_ms, span_s


def planned_ms(text: str | None) -> float | None:
    """Return the moment of `--after` and `--before` in milliseconds since the epoch: `+2h` is from now.

    Raises:
        Failure: it is not a valid time (exit 2).
    """
    if text is None:
        return None
    if text.startswith("+"):
        return (time.time() + span_s(text[1:])) * 1000
    return moment_ms(text)


def requests(client: AdminClient, jobs: list[dict[str, Any]]) -> dict[str, str]:
    """Return the request ids of those jobs that have begun, as far as the deployment still knows them."""
    ids = [job["_id"] for job in jobs if job["state"]["kind"] not in ("pending", "canceled")]
    return client.requests_of_jobs(ids) if ids else {}


def described(job: dict[str, Any], requests: Mapping[str, str]) -> dict[str, Any]:
    """Return a job as scripts read it."""
    kind = job["state"]["kind"]
    return {
        "id": job["_id"],
        "function": job["function"],
        "args": job["args"][0],
        "state": "running" if kind == "inProgress" else kind,
        "error": job["state"].get("error"),
        "scheduledFor": job["scheduledTime"],
        "completedAt": job.get("completedTime"),
        "requestId": requests.get(job["_id"]),
    }


def job_cells(job: dict[str, Any]) -> list[str]:
    """Return the line of the list for a job that is described."""
    times = [local_time(job["scheduledFor"]), local_time(job["completedAt"])]
    return [job["function"], job["state"], *times, job["id"]]


def job_fields(ctx: Context, job: dict[str, Any]) -> dict[str, Any]:
    """Return a job that is described in full, for people."""
    request = job["requestId"]
    return {
        "function": job["function"],
        "state": job["state"],
        "error": job["error"],
        "scheduled for": local_time(job["scheduledFor"]),
        "ended": local_time(job["completedAt"]),
        "arguments": json.dumps(job["args"], ensure_ascii=False),
        "request": request,
        "log": ctx.runnable(f"convexpy logs --request {request}") if request else None,
    }


def cancel(ctx: Context, client: AdminClient, ids: list[str], function: str | None) -> None:
    """Cancel jobs by id, or all pending ones (of a function); asks before it cancels several."""
    if len(ids) == 1:
        client.cancel_job(ids[0])
        ctx.output.result({"canceled": 1})
        return
    which = (
        f"{len(ids)} scheduled functions" if ids else f"all scheduled functions of {function or 'the app'}"
    )
    ctx.require_consent(f"Cancel {which}?", f"{which} were not canceled")
    for id in ids:
        client.cancel_job(id)
    count = len(ids) or client.cancel_all_jobs(function)
    ctx.output.result({"canceled": count})
    ctx.output.step("ok", f"{count} canceled")


def schedule_words(spec: dict[str, Any]) -> str:
    """Return a schedule in words."""
    minute = int(spec.get("minuteUTC", 0))
    at = f"{int(spec.get('hourUTC', 0)):02}:{minute:02} UTC"
    match spec["type"]:
        case "interval":
            units = ((3600, "h"), (60, "min"), (1, "s"))
            size, unit = next(each for each in units if spec["seconds"] % each[0] == 0 or each[0] == 1)
            return f"every {spec['seconds'] / size:g} {unit}"
        case "hourly":
            return f"hourly at minute {minute}"
        case "daily":
            return f"daily at {at}"
        case "weekly":
            return f"{spec['dayOfWeek'].capitalize()}s at {at}"
        case "monthly":
            return f"monthly on day {int(spec['day'])} at {at}"
        case _:
            return str(spec["cronExpr"])


def described_cron(cron: dict[str, Any]) -> dict[str, Any]:
    """Return a cron job as scripts read it."""
    last = cron["lastRun"]
    if last is not None:
        state, request = last["status"]["kind"], last["requestId"]
        last = {"at": last["ts"], "state": state, "ms": last["ms"], "requestId": request}
    return {
        "name": cron["name"],
        "schedule": schedule_words(cron["cronSpec"]),
        "cronSpec": cron["cronSpec"],
        "function": cron["function"],
        "args": cron["args"],
        "nextRuns": [float(ms) for ms in cron["nextRuns"]],
        "last": last,
        "failuresInARow": cron["failuresInARow"],
    }


def cron_cells(cron: dict[str, Any]) -> list[str]:
    """Return the line of the list for a cron job that is described."""
    last = cron["last"]
    ended = "-" if last is None else f"{last['state']} {local_time(last['at'])}"
    failures = f"{cron['failuresInARow']:g}"
    return [cron["name"], cron["schedule"], cron["function"], following(cron["nextRuns"]), ended, failures]


def following(runs: list[float]) -> str:
    """Return when a cron job runs next, in local time with its zone and in UTC: the day once, then only what differs."""
    shown: list[str] = []
    for zone in (None, UTC):
        times = [datetime.fromtimestamp(ms / 1000, zone).astimezone(zone) for ms in runs]
        words, day = [], ""
        for each in times:
            words.append(f"{each:%H:%M:%S}" if f"{each:%Y-%m-%d}" == day else f"{each:%Y-%m-%d %H:%M:%S}")
            day = f"{each:%Y-%m-%d}"
        shown.append(f"{', '.join(words)} {times[0]:%Z}")
    return shown[0] if shown[0] == shown[1] else " = ".join(shown)


def run_cells(run: dict[str, Any]) -> list[str]:
    """Return a run's line of the history."""
    status = run["status"]
    outcome = status["kind"]
    if outcome == "skipped":
        outcome = f"{status['count']:g} skipped"
    elif outcome == "failed":
        outcome = f"failed: {status['error'].splitlines()[0]}"
    return [local_time(run["ts"]), outcome, f"{run.get('ms', 0):g}", run.get("requestId") or "-"]
