"""What a server says for itself: the ready line, its first admin key, warnings, and the error that ends a start."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convexpy.errors import Error
from convexpy.errors.exit_codes import exit_code
from convexpy.protocol.host_names import is_loopback
from convexpy.serve.first_start import first_key_was_shown, keep_first_key
from convexpy.serve.options import ServeOptions

logger: logging.Logger = logging.getLogger("convexpy.serve")


def report_failure(options: ServeOptions, error: Error) -> int:
    """Write why the server does not start, as the last thing on stderr; return the exit status."""
    status = exit_code(error)
    if options.report == "json":
        sys.stderr.write(
            json.dumps({"error": {**error.to_json(), "requestId": None, "exitCode": status}}) + "\n"
        )
        return status
    lines = [f"error[{error.code}]: {error.message}"]
    if error.location is not None:
        parts = (error.location.file, error.location.line, error.location.column)
        lines.append("  " + ":".join(str(part) for part in parts if part is not None))
    data = error.data if isinstance(error.data, dict) else {}
    lines += [f"  | {line}" for line in data.get("output", ())]
    if error.hint:
        lines.append(f"  {'try':<26} {error.hint}")
    sys.stderr.write("\n".join(lines) + "\n")
    return status


def ready_line(options: ServeOptions, ready: dict[str, Any], key: str | None) -> None:
    """Write the ready line on stdout, and the first admin key where it is asked for or a person looks on."""
    printed = key is not None and options.print_admin_key
    if key is not None and not printed:
        _show(options.data, key)
    if options.report == "json":
        sys.stdout.write(json.dumps({**ready, **({"adminKey": key} if printed else {})}) + "\n")
    else:
        shown = f"{key}\n" if printed else ""
        sys.stdout.write(
            f"{shown}{ready['name']} is ready: {ready['url']} (HTTP actions: {ready['siteUrl']})\n"
        )
    sys.stdout.flush()
    if key is not None:
        first_key_was_shown(options.data)


def reporter(options: ServeOptions) -> Callable[[str], None]:
    """Return what is told of refused hosts and pages: the log, and `convexpy dev`, whose terminal the developer sees."""

    def report(text: str) -> None:
        logger.warning("%s", text)
        if not options.production and options.report == "json":
            with contextlib.suppress(OSError):
                sys.stdout.write(json.dumps({"warning": text}) + "\n")
                sys.stdout.flush()

    return report


def _show(folder: Path, key: str) -> None:
    if not sys.stderr.isatty():
        logger.warning(
            "first start: an admin key was made and written to %s; keep it elsewhere and delete the file: "
            "the server itself stores only its digest",
            keep_first_key(folder, key),
        )
        return
    sys.stderr.write(
        f"\nThe admin key of this deployment, shown this once:\n\n    {key}\n\n"
        "The server stores only its digest. Another one: convexpy keys create NAME --kind admin --data "
        f"{folder}\n\n"
    )
    sys.stderr.flush()


def warn_of_exposure(options: ServeOptions) -> None:
    """Warn of what a server that others can reach should not be."""
    if is_loopback(options.host):
        return
    encrypted = options.tls_cert is not None or (options.origin or "").startswith("https://")
    if not encrypted:
        logger.warning(
            "%s can be reached from other machines without TLS: put a proxy in front and pass --origin https://…, or "
            "use --tls-cert and --tls-key",
            options.host,
        )
    if options.origin is None:
        logger.warning("no --origin: links to files and CONVEX_CLOUD_URL will say %s", "127.0.0.1")
    if not options.redact_errors:
        logger.warning("--no-redact-errors: clients see messages and stack traces of functions")
