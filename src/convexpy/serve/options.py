"""What a server process is told on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `python -m convexpy.serve`; port 0 means any free port."""

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
    query_executors: int
    function_cpu_s: float | None
    memory_mib: int | None
    ping_interval_s: float | None
    storage: str | None
    file_mib: int | None


def parse(arguments: list[str]) -> ServeOptions:
    """Return the options; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(prog="convexpy.serve", description="Run a convexpy deployment server.")
    parser.add_argument("--data", type=Path, required=True, help="folder for database, files and keys")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3210, help="port of the API origin; 0: any")
    parser.add_argument("--site-port", type=int, default=3211, help="port of the site origin; 0: any")
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
    parser.add_argument("--query-executors", type=int, default=1)
    parser.add_argument("--function-cpu-s", type=float, help="CPU seconds of one query or mutation")
    parser.add_argument("--memory-mib", type=int, help="memory of one executor for queries and mutations")
    parser.add_argument(
        "--storage", help="where files are: a folder (default DATA/storage), or s3://BUCKET/PREFIX"
    )
    parser.add_argument("--file-mib", type=int, help="largest file that can be uploaded; default 1 TiB")
    parser.add_argument("--ping-interval-s", type=float, help=argparse.SUPPRESS)
    return ServeOptions(**vars(parser.parse_args(arguments)))
