"""The work of `convexpy status`: one screen about a deployment, or the same as JSON."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from convexpy.client import AdminClient, Unreachable
from convexpy.project import LocalDeployment, Target
from convexpy_cli import context, errors
from convexpy_cli.deployments import current
from convexpy_cli.docs.about import PROTOCOL_VERSION, version_text
from convexpy_cli.output.units import commit_text

if TYPE_CHECKING:
    from convexpy_cli.context import Invocation

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def show(run: Invocation, *, watch: bool, interval_s: float) -> int:
    """Show the state; with `watch` again and again. Returns the exit status: 6 if nothing answers."""
    target = run.target()
    if target.kind == "local":
        target = _local(run, target)
    context.require_key(target)
    client = run.client(target)
    while True:
        code = _once(run, target, client)
        if not watch:
            return code
        time.sleep(max(0.1, interval_s))


def _local(run: Invocation, target: Target) -> Target:
    """A look does not start the local server: that it does not run is the answer."""
    local = LocalDeployment(run.project)
    holder = local.holder()
    if holder is None or not holder.port:
        raise Unreachable("the local deployment does not run", hint="convexpy dev")
    return current.with_local_urls(target, local, holder)


def _once(run: Invocation, target: Target, client: AdminClient) -> int:
    try:
        started = time.perf_counter()
        version = client.version()
        latency_ms = (time.perf_counter() - started) * 1000
        found = client.status()
    except Unreachable as error:
        if run.settings.machine:
            run.output.result(
                {"deployment": _deployment(target), "reachable": False, "message": error.message}
            )
            return errors.UNREACHABLE
        raise
    document = _document(target, version, latency_ms, found)
    run.output.result(document, "\n".join(_lines(target, document)))
    return errors.OK


def _deployment(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "type": "production" if target.production else target.kind,
        "url": target.url,
        "source": target.url_source,
    }


def _document(target: Target, version: str, latency_ms: float, found: dict[str, Any]) -> dict[str, Any]:
    live = found["live"]
    return {
        "deployment": _deployment(target),
        "reachable": True,
        "latencyMs": round(latency_ms, 1),
        "versions": {"server": version, "cli": version_text(), "protocol": PROTOCOL_VERSION},
        "live": {
            "version": live["version"],
            "commit": live["commit"] or None,
            "dirty": live.get("dirty", False),
            "pushedAt": live["pushedAt"],
            "by": live["actor"] or None,
            "message": live.get("message") or None,
        },
        "functions": found["functions"],
        "tables": found["tables"],
        "building": found["building"],
        "clients": found["clients"],
        "errorRate1h": found["errorRate1h"],
        "disk": found["disk"],
        "crons": [{"name": cron["name"], "nextRun": cron["nextRun"]} for cron in found["crons"]],
    }


def _lines(target: Target, document: dict[str, Any]) -> list[str]:
    live, versions, disk = document["live"], document["versions"], document["disk"]
    by = " · ".join(
        part
        for part in (
            _moment(live["pushedAt"]),
            live["by"] or "",
            commit_text(live),
            live["message"] or "",
        )
        if part
    )
    rate = document["errorRate1h"]
    building = ", ".join(f"{each['table']}.{each['index']}" for each in document["building"])
    return [
        f"deployment  {target.name} · {document['deployment']['type']} · {target.url} (from {target.url_source})",
        f"answers in  {document['latencyMs']:.1f} ms",
        f"versions    server {versions['server'].removeprefix('convexpy ')} · command line {versions['cli']} · "
        f"protocol {versions['protocol']}",
        f"live        version {live['version']}" + (f" · {by}" if by else ""),
        f"functions   {document['functions']}",
        f"tables      {document['tables']}" + (f" · building {building}" if building else ""),
        f"clients     {document['clients']}",
        f"errors      {'no calls in the last hour' if rate is None else f'{rate:.1%} of calls in the last hour'}",
        f"crons       {_next_crons(document['crons'])}",
        f"disk        {_size(disk['databaseBytes'])} used · {_size(disk['freeBytes'])} free",
    ]


def _next_crons(crons: list[dict[str, Any]]) -> str:
    planned = sorted(
        (cron for cron in crons if cron["nextRun"] is not None), key=lambda cron: cron["nextRun"]
    )
    return ", ".join(f"{cron['name']} at {_moment(cron['nextRun'])}" for cron in planned[:3]) or "none"


def _moment(ms: float | None) -> str:
    return "" if ms is None else datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _size(count: float) -> str:
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.{1 if power else 0}f} {_UNITS[power]}"
