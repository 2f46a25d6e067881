"""The work of `convexpy serve`: check what was asked for, then become the server process.

The server is a program of its own, which this process turns into: signals, the exit status and the service manager's view
of it are the server's. Nothing secret is on its command line; a push is handed over in an open file without a name.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.dev.allowed_names import check_allowed_host, check_allowed_origin
from convexpy_cli.output.settings import wants_color
from convexpy_cli.serve import DATABASE

PORT_MAX = 65535


Options = Mapping[str, Any]
"""The options of `convexpy serve` by the names of its parameters."""


def _unsupported(what: str, hint: str) -> errors.Failure:
    return errors.Failure("NotSupported", f"{what} not supported by this server", hint=hint)


def start(ctx: Context, options: Options) -> int:
    """Become the server. Returns only where a process cannot replace itself.

    Raises:
        Failure: an option has a wrong value, or the folder to push cannot be read.
    """
    if ctx.settings.timeout_s is not None:
        raise errors.usage("--timeout cannot be used with serve, which runs until it is stopped")
    terminal = sys.stderr.isatty()
    form = options["log_format"] or ("human" if terminal else "json")
    if form == "human" and wants_color(ctx.settings, terminal=terminal):
        form = "color"
    arguments = server_arguments(options, as_json=ctx.settings.machine, log_format=form)
    environment = server_environment(options)
    descriptor = None
    if options["push"] is not None:
        descriptor = _push_file(options["push"], ctx)
        arguments.append(f"--push-fd={descriptor}")
    # -P: files in the current folder must not shadow a library.
    command = [sys.executable, "-P", "-m", "convexpy.serve", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, environment)
    return subprocess.call(command, env=environment, pass_fds=() if descriptor is None else (descriptor,))


def server_environment(options: Options) -> dict[str, str]:
    """Return the environment of the server process, which has the address of the database."""
    database = options["database"]
    return {**os.environ, **({} if database is None else {DATABASE: database})}


def server_arguments(options: Options, *, as_json: bool, log_format: str) -> list[str]:
    """Return the command line of the server process.

    Raises:
        Failure: an option has a wrong value.
    """
    _check(options)
    rest = dict(options)
    del rest["push"], rest["log_format"], rest["database"]
    arguments = [
        "--production",
        f"--data={rest.pop('data').absolute()}",
        f"--log-format={log_format}",
        f"--report={'json' if as_json else 'human'}",
    ]
    site_port, workers = rest.pop("site_port"), rest.pop("workers")
    arguments.append(f"--site-port={site_port}" if site_port else "--single-port")
    if workers is not None:
        arguments.append(f"--query-executors={workers}")
    for name, value in rest.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            arguments += [flag] if value else []
        elif isinstance(value, list | tuple):
            arguments += [f"{flag}={each}" for each in value]
        elif value is not None:
            arguments.append(f"{flag}={value}")
    return arguments


def _check(options: Options) -> None:
    for flag, port in (
        ("port", options["port"]),
        ("site-port", options["site_port"]),
        ("metrics-port", options["metrics_port"] or 0),
    ):
        if not 0 <= port <= PORT_MAX:
            raise errors.usage(f"--{flag} {port} is not a port number", f"0 to {PORT_MAX}")
    if options["port"] and options["port"] == options["site_port"]:
        raise errors.usage("--port and --site-port are the same", "--site-port 0 serves both on --port")
    if options["workers"] is not None and options["workers"] < 1:
        raise errors.usage("--workers must be at least 1")
    if options["log_sink"] is not None and "://" in options["log_sink"]:
        raise _unsupported("a URL as --log-sink is", "--log-sink FILE, and a log shipper that reads the file")
    _check_url("--origin", options["origin"], path=False)
    _check_url("--site-origin", options["site_origin"], path=True)
    for origin in (*(options["allow_origin"] or ()), *(options["preview_allow_origin"] or ())):
        check_allowed_origin(origin)
    for host in options["allow_host"] or ():
        check_allowed_host(host)
    for address in options["trusted_proxy"] or ():
        _check_address(address)


def _check_url(flag: str, url: str | None, *, path: bool) -> None:
    from urllib.parse import urlsplit

    if url is None:
        return
    parts = urlsplit(url)
    good = (
        parts.scheme in ("http", "https") and parts.hostname and not parts.query and "@" not in parts.netloc
    )
    if not good or (parts.path not in ("", "/") and not path):
        raise errors.usage(f"{flag} {url!r} is not an origin", f"{flag} https://api.example.com")


def _check_address(address: str) -> None:
    try:
        if address != "*":
            ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise errors.usage(
            f"--trusted-proxy {address!r} is not an address", "127.0.0.1, 10.0.0.0/8, or * for every peer"
        ) from error


def _push_file(folder: Path, ctx: Context) -> int:
    """Return a descriptor, open for children, of a file that holds the push."""
    from convexpy.project import FunctionsFolder, find_project

    if not folder.is_dir():
        raise errors.Failure("ProjectNotFound", f"--push {folder}: no such folder")
    project = find_project(folder)
    for warning in project.warnings:
        ctx.output.warn(warning)
    files = FunctionsFolder.of(project, ctx.output.warn).scan()
    if not files:
        raise errors.Failure("ProjectNotFound", f"--push {folder}: {project.functions} contains no functions")
    modules = {
        path: {"sha256": file.sha256, "source": base64.b64encode(file.content).decode()}
        for path, file in files.items()
    }
    with tempfile.TemporaryFile() as stream:
        stream.write(json.dumps({"modules": modules, "config": project.push_config}).encode())
        stream.flush()
        descriptor = os.dup(stream.fileno())
    os.set_inheritable(descriptor, True)
    return descriptor
