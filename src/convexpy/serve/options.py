"""What a server process is told on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Report = Literal["json", "human"]


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `python -m convexpy.serve`; port 0 means any free port.

    `production` is what `convexpy serve` asks for: keys are stored as digests, the packages of pushed functions are
    installed here. `single_port` serves HTTP actions under `/http` of the main port only.
    """

    data: Path
    host: str
    port: int
    site_port: int
    name: str | None
    origin: str | None
    site_origin: str | None
    label: str
    redact: bool
    watchdog_fd: int | None
    allow_network_file_system: bool
    starter: str
    query_executors: int | None
    function_cpu_s: float | None
    memory_mib: int | None
    ping_interval_s: float | None
    storage: str | None
    file_mib: int | None
    production: bool
    single_port: bool
    secret_file: Path | None
    config: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    allow_origin: list[str]
    allow_host: list[str]
    trusted_proxy: list[str]
    print_admin_key: bool
    push_fd: int | None
    metrics_port: int | None
    metrics_host: str
    access_log: bool
    function_log: bool
    log_format: Report
    log_sink: Path | None
    report: Report


def parse(arguments: list[str]) -> ServeOptions:
    """Return the options; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(prog="convexpy.serve", description="Run a convexpy deployment server.")
    _add_places(parser)
    _add_limits(parser)
    _add_production(parser)
    _add_logs(parser)
    return ServeOptions(**vars(parser.parse_args(arguments)))


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder for database, files and keys")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3210, help="port of the API origin; 0: any")
    parser.add_argument("--site-port", type=int, default=3211, help="port of the site origin; 0: any")
    parser.add_argument(
        "--single-port", action="store_true", help="HTTP actions under /http of the API origin"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        help="web origin whose pages may call, or * for any; repeatable",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        help="host name to answer to, .example.com for all below it, or * for any; repeatable",
    )
    parser.add_argument("--name", help="deployment name, for a new data folder")
    parser.add_argument("--origin", help="public URL of the API origin")
    parser.add_argument("--site-origin", help="public URL of the site origin")
    parser.add_argument("--label", default="convex", help="the developer's name of the functions folder")
    parser.add_argument(
        "--redact-errors", dest="redact", action="store_true", help="production: hide error texts"
    )
    parser.add_argument("--watchdog-fd", type=int, help="stop at end-of-file of this descriptor")
    parser.add_argument("--allow-network-file-system", action="store_true")
    parser.add_argument(
        "--starter", choices=["auto", "fork", "spawn"], default="auto", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--storage", help="where files are: a folder (default DATA/storage), or s3://BUCKET/PREFIX"
    )
    parser.add_argument(
        "--report", choices=["json", "human"], default="json", help="form of the ready line and of errors"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="file with [limits]")
    parser.add_argument(
        "--query-executors",
        type=int,
        help="processes that run queries; default 1, in production one for each core",
    )
    parser.add_argument("--function-cpu-s", type=float, help="CPU seconds of one query or mutation")
    parser.add_argument("--memory-mib", type=int, help="memory of one executor for queries and mutations")
    parser.add_argument("--file-mib", type=int, help="largest file that can be uploaded; default 1 TiB")
    parser.add_argument("--ping-interval-s", type=float, help=argparse.SUPPRESS)


def _add_production(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--production",
        action="store_true",
        help="store digests of keys, install packages of pushed functions",
    )
    parser.add_argument(
        "--secret-file", type=Path, help="file with the instance secret: 64 hex digits or more"
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="its private key, PEM")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        help="address whose X-Forwarded-For counts; repeatable",
    )
    parser.add_argument(
        "--print-admin-key", action="store_true", help="print the key made at the first start"
    )
    parser.add_argument(
        "--push-fd", type=int, help="descriptor of a file with a push to make live at the start"
    )


def _add_logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics-port", type=int, help="port for /metrics without a key; 0: any")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="address of that port")
    parser.add_argument("--access-log", action="store_true", help="a line for each request")
    parser.add_argument("--function-log", action="store_true", help="a line for each call of a function")
    parser.add_argument("--log-format", choices=["json", "human"], default="human")
    parser.add_argument("--log-sink", type=Path, help="file that gets a copy of the log, as JSON lines")
