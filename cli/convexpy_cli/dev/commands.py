"""`convexpy dev`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from convexpy_cli import completion, errors
from convexpy_cli.command import MORE, command, single
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
    once: Annotated[bool, Option("--once", help="Push once and exit.")] = False,
    until_success: Annotated[
        bool, Option("--until-success", help="Exit after the first successful push.")
    ] = False,
    function: Annotated[
        str | None,
        Option(
            "--run",
            metavar="FUNCTION",
            help="Call this after the first push: 'seed:demo count=3'.",
            autocompletion=completion.functions,
        ),
    ] = None,
    start: Annotated[
        str | None, Option("--start", metavar="COMMAND", help="Run this too, e.g. the front end.")
    ] = None,
    tail_logs: Annotated[
        Literal["always", "pause-on-deploy", "disable"] | None,
        Option("--tail-logs", metavar="MODE", help="always, pause-on-deploy or disable."),
    ] = None,
    typecheck: Annotated[
        Typecheck | None,
        Option("--typecheck", metavar="MODE", help="enable (errors block the push), try or disable."),
    ] = None,
    codegen: Annotated[
        Literal["enable", "disable"],
        Option("--codegen", metavar="MODE", help="enable or disable.", rich_help_panel=MORE),
    ] = "enable",
    port: Annotated[
        int | None, Option("--port", metavar="N", help="Port of the local server [default: 3210].")
    ] = None,
    site_port: Annotated[
        int | None, Option("--site-port", metavar="N", help="Port for HTTP actions [default: 3211].")
    ] = None,
    host: Annotated[
        str, Option("--host", metavar="ADDRESS", help="Address of the local server.", rich_help_panel=MORE)
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        Option(
            "--allow-host",
            metavar="NAME",
            help="Also serve this host name; repeatable.",
            rich_help_panel=MORE,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        Option(
            "--allow-origin",
            metavar="URL",
            help="Also allow pages of this origin; repeatable.",
            rich_help_panel=MORE,
        ),
    ] = None,
    no_server: Annotated[
        bool, Option("--no-server", help="Attach to a running server.", rich_help_panel=MORE)
    ] = False,
    no_push: Annotated[
        bool, Option("--no-push", help="Only show logs and run --start.", rich_help_panel=MORE)
    ] = False,
    push_all: Annotated[bool, Option("--push-all", help="Send every file.", rich_help_panel=MORE)] = False,
    poll: Annotated[
        bool | None,
        Option("--poll/--no-poll", help="Watch files by polling [default: if needed].", rich_help_panel=MORE),
    ] = None,
    env_from: Annotated[
        Path | None,
        Option("--env-from", metavar="FILE", help="Set these variables in a new local deployment."),
    ] = None,
    debugpy: Annotated[
        int | None, Option("--debugpy", metavar="PORT", help="Wait for a debugger to attach to this port.")
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
    settings = LoopSettings(
        once=once,
        until_success=until_success,
        no_push=no_push,
        push_all=push_all,
        poll=poll,
        typecheck=typecheck or config.typecheck,
        codegen=codegen != "disable",
        tail_logs=tail_logs or config.tail_logs,
        run=function,
        start=start if start is not None else config.start,
        debugpy=debugpy,
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
