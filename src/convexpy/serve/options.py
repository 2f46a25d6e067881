"""What a server process is told on its command line: a flag for each field of `ServeOptions`."""

from __future__ import annotations

import argparse
import types
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from convexpy.errors import Error

Report = Literal["json", "human"]
LogFormat = Literal["json", "human", "color"]


class ConfigInvalid(Error):
    """A file that an option names cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Options of `python -m convexpy.serve`. What they mean for people is said by `convexpy serve --help`.

    Ports: 0 means any free port; `single_port` serves HTTP actions under `/http` of the main port only. `production` is
    what `convexpy serve` asks for: keys are stored as digests, the packages of pushed functions are installed here.
    `label` is the developer's name of the functions folder. `push_fd` has a push to make live at the start; at
    end-of-file of `watchdog_fd` the server stops.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 3210
    site_port: int = 3211
    single_port: bool = False
    name: str | None = None
    origin: str | None = None
    site_origin: str | None = None
    allow_origin: list[str] = field(default_factory=list[str])
    allow_host: list[str] = field(default_factory=list[str])
    trusted_proxy: list[str] = field(default_factory=list[str])
    tls_cert: Path | None = None
    tls_key: Path | None = None
    label: str = "convex"
    redact_errors: bool = False
    production: bool = False
    secret_file: Path | None = None
    print_admin_key: bool = False
    push_fd: int | None = None
    watchdog_fd: int | None = None
    allow_network_file_system: bool = False
    database_schema: str | None = None
    storage: str | None = None
    node: str | None = None
    starter: Literal["auto", "fork", "spawn"] = "auto"
    config: Path | None = None
    query_executors: int | None = None
    function_cpu_s: float | None = None
    memory_mib: int | None = None
    file_mib: int | None = None
    ping_interval_s: float | None = None
    previews: str | None = None
    preview_origin: str | None = None
    preview_allow_origin: list[str] = field(default_factory=list[str])
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    access_log: bool = False
    function_log: bool = False
    log_format: LogFormat = "human"
    log_sink: Path | None = None
    report: Report = "json"


def parse(arguments: list[str]) -> ServeOptions:
    """Return the options; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(prog="convexpy.serve", description="Run a convexpy deployment server.")
    hints = get_type_hints(ServeOptions)
    for each in fields(ServeOptions):
        flag = "--" + each.name.replace("_", "-")
        default = None if each.default is MISSING else each.default
        parser.add_argument(flag, **_kind(hints[each.name], default, required=each.name == "data"))
    return ServeOptions(**vars(parser.parse_args(arguments)))


def _kind(hint: Any, default: Any, *, required: bool) -> dict[str, Any]:
    """Return how argparse reads a field."""
    if hint is bool:
        return {"action": "store_true"}
    if get_origin(hint) is list:
        return {"action": "append", "default": []}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint), "default": default}
    if get_origin(hint) is types.UnionType:
        hint = get_args(hint)[0]
    return {"type": hint, "default": default, "required": required}
