"""The work of `convexpy status`: one screen about a deployment, or the same as JSON."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec

from convexpy.client import AdminClient, Unreachable
from convexpy.project import LocalDeployment, Target
from convexpy.protocol.admin_api import DeploymentStatus
from convexpy_cli import context, errors
from convexpy_cli.context import Context
from convexpy_cli.docs.about import PROTOCOL_VERSION, version_text
from convexpy_cli.output.units import commit_text, local_time, size_text


def show(ctx: Context, *, watch: bool, interval_s: float) -> int:
    """Show the state; with `watch` again and again. Returns the exit status: 6 if nothing answers."""
    target = ctx.target()
    if target.kind == "local":
        # A look does not start the local server: that it is not running is the answer.
        running = context.served(LocalDeployment(ctx.project), target)
        if running is None:
            raise Unreachable("the local deployment is not running", hint="convexpy dev")
        target = running
    context.require_key(target)
    client = ctx.client(target)
    if not watch:
        return _once(ctx, target, client)
    while True:
        try:
            _once(ctx, target, client, clear=True)
        except Unreachable as error:
            ctx.output.clear()
            ctx.output.error(ctx.shown(error))
        if not ctx.settings.machine:
            ctx.output.note(f"{datetime.now().astimezone():%H:%M:%S}, every {interval_s:g} s; Ctrl-C ends")
        time.sleep(max(0.1, interval_s))


def _once(ctx: Context, target: Target, client: AdminClient, *, clear: bool = False) -> int:
    try:
        started = time.perf_counter()
        version = client.version()
        latency_ms = (time.perf_counter() - started) * 1000
        found = client.status()
    except Unreachable as error:
        if ctx.settings.machine:
            ctx.output.result(
                {"deployment": _deployment(target), "reachable": False, "message": error.message}
            )
            return errors.UNREACHABLE
        raise
    document = _document(target, version, latency_ms, found)
    if clear:
        ctx.output.clear()
    ctx.output.fields(document, _fields(target, document))
    return errors.OK


def _deployment(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "type": "production" if target.production else target.kind,
        "url": target.url,
        "source": target.url_source,
    }


def _document(target: Target, version: str, latency_ms: float, found: DeploymentStatus) -> dict[str, Any]:
    live = found.live
    return {
        "deployment": _deployment(target),
        "reachable": True,
        "latencyMs": round(latency_ms, 1),
        "versions": {"server": version, "cli": version_text(), "protocol": PROTOCOL_VERSION},
        "live": {
            "version": live.version,
            "commit": live.commit or None,
            "dirty": live.dirty,
            "pushedAt": live.pushed_at,
            "by": live.actor or None,
            "message": live.message or None,
        },
        "functions": found.functions,
        "tables": found.tables,
        "building": msgspec.to_builtins(found.building),
        "clients": found.clients,
        "errorRate1h": found.error_rate_1h,
        "disk": msgspec.to_builtins(found.disk),
        "nodes": msgspec.to_builtins(found.nodes),
        "crons": [{"name": cron["name"], "nextRun": cron["nextRun"]} for cron in found.crons],
    }


def _fields(target: Target, document: dict[str, Any]) -> dict[str, Any]:
    live, versions, disk = document["live"], document["versions"], document["disk"]
    pushed = "" if live["pushedAt"] is None else local_time(live["pushedAt"])
    parts = [
        f"version {live['version']}",
        pushed,
        live["by"],
        commit_text(live["commit"], live["dirty"]),
        live["message"],
    ]
    rate = document["errorRate1h"]
    building = ", ".join(f"{each['table']}.{each['index']}" for each in document["building"])
    crons = [cron for cron in document["crons"] if cron["nextRun"] is not None]
    crons = sorted(crons, key=lambda cron: float(cron["nextRun"]))[:3]
    return {
        "deployment": f"{target.name} · {document['deployment']['type']} · {target.url} (from {target.url_source})",
        "latency": f"{document['latencyMs']:.1f} ms",
        "versions": f"server {versions['server'].removeprefix('convexpy ')} · command line {versions['cli']} · "
        f"protocol {versions['protocol']}",
        "live": " · ".join(part for part in parts if part),
        "functions": document["functions"],
        "tables": f"{document['tables']}" + (f" · building {building}" if building else ""),
        "clients": document["clients"],
        "nodes": ", ".join(
            f"{each['address']} {'serves' if each['serves'] else 'relays'}" for each in document["nodes"]
        )
        or None,
        "errors": "no calls in the last hour" if rate is None else f"{rate:.1%} of calls in the last hour",
        "crons": ", ".join(f"{cron['name']} at {local_time(cron['nextRun'])}" for cron in crons) or "none",
        "disk": f"{size_text(disk['databaseBytes'])} used · {size_text(disk['freeBytes'])} free",
    }
