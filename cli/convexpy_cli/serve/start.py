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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.dev.allowed_names import check_allowed_host, check_allowed_origin

UNSUPPORTED = 12
PORT_MAX = 65535


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What flags and variables ask for. `values`, `lists` and `switches` are handed on under their names."""

    data: Path
    host: str
    port: int
    site_port: int
    values: Mapping[str, Any]
    lists: Mapping[str, list[str]]
    switches: Mapping[str, bool]
    workers: int | None
    push: Path | None
    log_format: str | None
    log_sink: str | None


def refuse_unsupported(db: str, database_url: str | None, *, host_deployments: bool) -> None:
    """Refuse what other servers may do one day.

    Raises:
        Failure: `NotSupported`, exit 12.
    """
    if db != "sqlite" or database_url is not None or os.environ.get("CONVEXPY_SERVE_DATABASE_URL"):
        raise _unsupported("PostgreSQL is", "leave --db and --database-url out: data is in SQLite, in --data")
    if host_deployments:
        raise _unsupported(
            "--host-deployments is", "start one server for each deployment, each with its --data"
        )


def _unsupported(what: str, hint: str) -> errors.Failure:
    return errors.Failure("NotSupported", f"{what} not supported by this server", UNSUPPORTED, hint=hint)


def start(run: Invocation, wanted: Wanted) -> int:
    """Become the server. Returns only where a process can't turn into another one.

    Raises:
        Failure: an option makes no sense, or the folder to push can't be read.
    """
    if run.settings.timeout_s is not None:
        raise errors.usage("--timeout has no meaning here: a server runs until it is stopped")
    arguments = server_arguments(wanted, as_json=run.settings.machine, terminal=sys.stderr.isatty())
    descriptor = None
    if wanted.push is not None:
        descriptor = _push_file(wanted.push, run)
        arguments.append(f"--push-fd={descriptor}")
    # -P: what lies in the current folder must not stand in for a library.
    command = [sys.executable, "-P", "-m", "convexpy.serve", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command, pass_fds=() if descriptor is None else (descriptor,))


def server_arguments(wanted: Wanted, *, as_json: bool, terminal: bool) -> list[str]:
    """Return the command line of the server process.

    Raises:
        Failure: an option makes no sense.
    """
    _check(wanted)
    log_format = wanted.log_format or ("human" if terminal else "json")
    arguments = [
        "--production",
        f"--data={wanted.data.absolute()}",
        f"--host={wanted.host}",
        f"--port={wanted.port}",
        *([f"--site-port={wanted.site_port}"] if wanted.site_port else ["--single-port"]),
        f"--log-format={log_format}",
        f"--report={'json' if as_json else 'human'}",
    ]
    if wanted.workers is not None:
        arguments.append(f"--query-executors={wanted.workers}")
    if wanted.log_sink is not None:
        arguments.append(f"--log-sink={wanted.log_sink}")
    arguments += [f"{flag}={value}" for flag, value in wanted.values.items() if value is not None]
    arguments += [f"{flag}={value}" for flag, values in wanted.lists.items() for value in values]
    return arguments + [flag for flag, on in wanted.switches.items() if on]


def _check(wanted: Wanted) -> None:
    ports = {"--port": wanted.port, "--site-port": wanted.site_port}
    ports["--metrics-port"] = wanted.values.get("--metrics-port") or 0
    for flag, port in ports.items():
        if not 0 <= port <= PORT_MAX:
            raise errors.usage(f"{flag} {port} is no port", f"0 to {PORT_MAX}")
    if wanted.port and wanted.port == wanted.site_port:
        raise errors.usage("--port and --site-port are the same", "--site-port 0 serves both on --port")
    if wanted.workers is not None and wanted.workers < 1:
        raise errors.usage(f"--workers {wanted.workers} is none", "--workers 1 or more")
    if wanted.log_format not in (None, "human", "json"):
        raise errors.usage(f"--log-format {wanted.log_format!r} is unknown", "human or json")
    if wanted.log_sink is not None and "://" in wanted.log_sink:
        hint = "--log-sink FILE, and a log shipper that reads the file"
        raise _unsupported("a URL as --log-sink is", hint)
    for flag in ("--origin", "--site-origin"):
        _check_url(flag, wanted.values.get(flag), path=flag == "--site-origin")
    for origin in wanted.lists["--allow-origin"]:
        check_allowed_origin(origin)
    for host in wanted.lists.get("--allow-host", []):
        check_allowed_host(host)
    for address in wanted.lists["--trusted-proxy"]:
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
        raise errors.usage(f"{flag} {url!r} is no origin", f"{flag} https://api.example.com")


def _check_address(address: str) -> None:
    try:
        if address != "*":
            ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise errors.usage(
            f"--trusted-proxy {address!r} is no address", "127.0.0.1, 10.0.0.0/8, or * for every peer"
        ) from error


def _push_file(folder: Path, run: Invocation) -> int:
    """Return a descriptor, open for children, of a file that holds the push."""
    from convexpy.project import find_project
    from convexpy_cli.deploy.pushing import functions_folder, push_config, push_files

    if not folder.is_dir():
        raise errors.Failure("ProjectNotFound", f"--push {folder}: no such folder", errors.CONFIGURATION)
    project = find_project(folder)
    for warning in project.warnings:
        run.output.warn(warning)
    files = push_files(functions_folder(project, run.output.warn))
    if not files:
        raise errors.Failure(
            "ProjectNotFound",
            f"--push {folder}: {project.functions} holds no functions",
            errors.CONFIGURATION,
        )
    modules = {
        path: {"sha256": file.sha256, "source": base64.b64encode(file.content).decode()}
        for path, file in files.items()
    }
    with tempfile.TemporaryFile() as stream:
        stream.write(json.dumps({"modules": modules, "config": push_config(project)}).encode())
        stream.flush()
        descriptor = os.dup(stream.fileno())
    os.set_inheritable(descriptor, True)
    return descriptor
