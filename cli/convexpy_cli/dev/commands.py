"""`convexpy dev`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.dev.allowed_names import check_allowed_host, check_allowed_origin
from convexpy_cli.options import leaf_command

_MODES = {"tail_logs": ("always", "pause-on-deploy", "disable"), "typecheck": ("enable", "try", "disable")}


@leaf_command(
    formats=("human", "jsonl"),
    examples=(
        "convexpy dev",
        "convexpy dev --start 'npm run dev'",
        "convexpy dev --once --run seed:demo --json",
    ),
)
def dev(
    run: Invocation,
    once: Annotated[bool, Option("--once", help="push once, then stop")] = False,
    until_success: Annotated[
        bool, Option("--until-success", help="push until it goes live, then stop")
    ] = False,
    function: Annotated[
        str | None, Option("--run", metavar="FN", help="call this after the first push: 'seed:demo count=3'")
    ] = None,
    start: Annotated[
        str | None, Option("--start", metavar="CMD", help="companion command, e.g. the front end")
    ] = None,
    tail_logs: Annotated[str | None, Option("--tail-logs", help="always, pause-on-deploy or disable")] = None,
    typecheck: Annotated[
        str | None, Option("--typecheck", help="enable (errors hold a push back), try, disable")
    ] = None,
    codegen: Annotated[str, Option("--codegen", help="enable or disable")] = "enable",
    port: Annotated[int | None, Option("--port", help="port of the local server [3210]")] = None,
    site_port: Annotated[int | None, Option("--site-port", help="port of its HTTP actions [3211]")] = None,
    host: Annotated[str, Option("--host", help="address of the local server")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        Option("--allow-host", metavar="NAME", help="host to answer to beside localhost; repeatable"),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        Option(
            "--allow-origin", metavar="URL", help="pages that may call beside those of localhost; repeatable"
        ),
    ] = None,
    no_server: Annotated[bool, Option("--no-server", help="attach to a running server, start none")] = False,
    no_push: Annotated[bool, Option("--no-push", help="logs and companion only")] = False,
    push_all: Annotated[bool, Option("--push-all", help="send every file")] = False,
    poll: Annotated[bool | None, Option("--poll/--no-poll", help="watch files by polling [auto]")] = None,
    env_from: Annotated[
        Path | None,
        Option("--env-from", help="variables for a new local deployment, set before the first push"),
    ] = None,
    debugpy: Annotated[
        int | None,
        Option(
            "--debugpy", metavar="PORT", help="wait for an editor to attach there, and debug functions in it"
        ),
    ] = None,
) -> int:
    """Serve the project locally, push every save, keep _generated/ fresh and show the logs.

    Exit codes: 0 done (--once), 6 unreachable, 7 the code is not deployable, 8 data and schema disagree, 10 port taken or
    dev runs already, 130 after Ctrl-C.
    """
    from convexpy_cli.deployments.local_server import Reach
    from convexpy_cli.dev.loop import LoopSettings
    from convexpy_cli.dev.session import Session

    if once and until_success:
        raise errors.usage("--once and --until-success exclude each other")
    if debugpy is not None and (no_server or no_push):
        raise errors.usage("--debugpy needs a server of its own: leave out --no-server and --no-push")
    config = run.project.config
    settings = LoopSettings(
        once=once,
        until_success=until_success,
        no_push=no_push,
        push_all=push_all,
        poll=poll,
        typecheck=_mode("typecheck", typecheck or config.typecheck),
        codegen=codegen != "disable",
        tail_logs=_mode("tail_logs", tail_logs or config.tail_logs),
        run=function,
        start=start if start is not None else config.start,
        debugpy=debugpy,
    )
    target = run.target()
    session = Session(run, settings)
    if target.kind == "remote":
        if debugpy is not None:
            raise errors.usage("--debugpy is for the local deployment")
        return session.remote(target)
    reach = Reach(
        host=host,
        hosts=_names("allow-host", allow_host, config.allow_host, check_allowed_host),
        origins=_names("allow-origin", allow_origin, config.allow_origin, check_allowed_origin),
    )
    if host not in ("127.0.0.1", "localhost", "::1"):
        named = "" if reach.hosts or host not in ("0.0.0.0", "::") else "; name this one with --allow-host"
        run.output.warn(f"--host {host}: the local server can be reached from other machines{named}")
    return session.local(
        port=_port(port, "CONVEXPY_DEV_PORT", config.port),
        site_port=_port(site_port, "CONVEXPY_DEV_SITE_PORT", config.site_port),
        reach=reach,
        no_server=no_server,
        env_from=env_from,
    )


def _mode(name: str, value: str) -> str:
    if value not in _MODES[name]:
        raise errors.usage(f"--{name.replace('_', '-')} {value!r} is unknown", ", ".join(_MODES[name]))
    return value


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
        raise errors.usage(f"{variable}={text} is no port")
    return int(text)
