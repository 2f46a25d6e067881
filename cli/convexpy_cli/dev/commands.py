"""`convexpy dev`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from convexpy_cli import completion, errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context
from convexpy_cli.dev.allowed_names import check_allowed_host, check_allowed_origin

app = single()

Typecheck = Literal["enable", "try", "disable"]


@command(
    app,
    formats=("human", "jsonl"),
    examples=("convexpy dev --start 'npm run dev'", "convexpy dev --once --run seed:demo --json"),
)
def dev(
    ctx: Context,
    once: Annotated[bool, option("--once", "Push once and exit.")] = False,
    until_success: Annotated[
        bool, option("--until-success", "Exit after the first successful push.")
    ] = False,
    function: Annotated[
        str | None,
        option(
            "--run FUNCTION",
            "Call this after the first push: 'seed:demo count=3'.",
            complete=completion.functions,
        ),
    ] = None,
    start: Annotated[str | None, option("--start COMMAND", "Run this too, e.g. the front end.")] = None,
    open_page: Annotated[bool, option("--open", "Open the page in a browser.")] = False,
    tail_logs: Annotated[
        Literal["always", "pause-on-deploy", "disable"] | None,
        option("--tail-logs MODE", "always, pause-on-deploy or disable."),
    ] = None,
    typecheck: Annotated[
        Typecheck | None, option("--typecheck MODE", "enable (errors block the push), try or disable.")
    ] = None,
    codegen: Annotated[
        Literal["enable", "disable"], option("--codegen MODE", "enable or disable.", more=True)
    ] = "enable",
    port: Annotated[int | None, option("--port N", "Port of the local server [default: 3210].")] = None,
    site_port: Annotated[
        int | None, option("--site-port N", "Port for HTTP actions [default: 3211].")
    ] = None,
    host: Annotated[str, option("--host ADDRESS", "Address of the local server.", more=True)] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, option("--allow-host NAME", "Also serve this host name; repeatable.", more=True)
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        option("--allow-origin URL", "Also allow pages of this origin; repeatable.", more=True),
    ] = None,
    no_server: Annotated[bool, option("--no-server", "Attach to a running server.", more=True)] = False,
    no_push: Annotated[bool, option("--no-push", "Only show logs and run --start.", more=True)] = False,
    push_all: Annotated[bool, option("--push-all", "Send every file.", more=True)] = False,
    poll: Annotated[
        bool | None, option("--poll/--no-poll", "Watch files by polling [default: if needed].", more=True)
    ] = None,
    env_from: Annotated[
        Path | None, option("--env-from FILE", "Set these variables in a new local deployment.")
    ] = None,
    debugpy: Annotated[
        int | None, option("--debugpy PORT", "Wait for a debugger to attach to this port.")
    ] = None,
) -> int:
    """Run a local deployment: push on every save, update _generated/ and show logs."""
    from convexpy_cli.deployments.local_server import Reach
    from convexpy_cli.dev.loop import LoopSettings
    from convexpy_cli.dev.session import Session

    if once and until_success:
        raise errors.usage("--once and --until-success cannot be combined")
    if debugpy is not None and (no_server or no_push):
        raise errors.usage("--debugpy cannot be combined with --no-server or --no-push")
    config = ctx.project.config
    settings = replace(
        ctx.options(LoopSettings),
        typecheck=typecheck or config.typecheck,
        tail_logs=tail_logs or config.tail_logs,
        start=start if start is not None else config.start,
    )
    target = ctx.target()
    session = Session(ctx, settings)
    if target.kind == "remote":
        if debugpy is not None:
            raise errors.usage("--debugpy works with the local deployment only")
        return session.remote(target)
    reach = Reach(
        host=host,
        hosts=_names("allow-host", allow_host, config.allow_host, check_allowed_host),
        origins=_names("allow-origin", allow_origin, config.allow_origin, check_allowed_origin),
    )
    if host not in ("127.0.0.1", "localhost", "::1"):
        named = "" if reach.hosts or host not in ("0.0.0.0", "::") else "; add its name with --allow-host"
        ctx.output.warn(f"--host {host}: the local server can be reached from other machines{named}")
    return session.local(
        port=_port(port, "CONVEXPY_DEV_PORT", config.port),
        site_port=_port(site_port, "CONVEXPY_DEV_SITE_PORT", config.site_port),
        reach=reach,
        no_server=no_server,
        env_from=env_from,
    )


def _names(
    name: str, flags: list[str] | None, configured: tuple[str, ...], check: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the names of the flags, else of the variable (separated by spaces), else of the configuration."""
    variable = os.environ.get(f"CONVEXPY_DEV_{name.replace('-', '_').upper()}", "")
    chosen = tuple(flags or variable.split() or configured)
    for each in chosen:
        check(each)
    return chosen


def _port(flag: int | None, variable: str, configured: int | None) -> int | None:
    if flag is not None:
        return flag
    text = os.environ.get(variable)
    if not text:
        return configured
    if not text.isdigit():
        raise errors.usage(f"{variable}={text} is not a port number")
    return int(text)
