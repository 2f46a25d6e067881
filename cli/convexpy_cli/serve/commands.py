"""`convexpy serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option

from convexpy_cli.command import MORE, command, single
from convexpy_cli.context import Context

app = single()


def _option(name: str, help: str, *, metavar: str | None = None, more: bool = True) -> Any:
    """Return an option that an environment variable sets too: `--site-port` is CONVEXPY_SERVE_SITE_PORT."""
    variable = "CONVEXPY_SERVE_" + name.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return Option(name, help=help, metavar=metavar, envvar=variable, rich_help_panel=MORE if more else None)


@command(
    app,
    examples=(
        "convexpy serve --data /var/lib/convexpy/data --origin https://api.example.com",
        "convexpy serve --tls-cert chain.pem --tls-key key.pem --log-format json",
    ),
)
def serve(
    ctx: Context,
    data: Annotated[Path, _option("--data", "Folder for all data.", metavar="DIR", more=False)] = Path(
        "convexpy-data"
    ),
    storage: Annotated[
        str | None,
        _option("--storage", "Where to store files: DIR or s3://BUCKET/PREFIX.", metavar="WHERE", more=False),
    ] = None,
    host: Annotated[
        str, _option("--host", "Address to listen on.", metavar="ADDRESS", more=False)
    ] = "0.0.0.0",
    port: Annotated[
        int, _option("--port", "Port of the API; 0 for any free port.", metavar="N", more=False)
    ] = 3210,
    site_port: Annotated[
        int,
        _option(
            "--site-port",
            "Port for HTTP actions; 0: --port, under /http.",
            metavar="N",
            more=False,
        ),
    ] = 3211,
    origin: Annotated[
        str | None, _option("--origin", "Public URL of the API.", metavar="URL", more=False)
    ] = None,
    site_origin: Annotated[
        str | None, _option("--site-origin", "Public URL of HTTP actions.", metavar="URL", more=False)
    ] = None,
    workers: Annotated[
        int | None,
        _option("--workers", "Processes that run queries [default: one per core].", metavar="N", more=False),
    ] = None,
    push: Annotated[
        Path | None, _option("--push", "Push this functions folder at start.", metavar="DIR", more=False)
    ] = None,
    name: Annotated[
        str | None, _option("--name", "Name of a new deployment [default: generated].", metavar="NAME")
    ] = None,
    secret_file: Annotated[
        Path | None,
        _option(
            "--secret-file", "Signing secret, at least 64 hex digits [default: generated].", metavar="FILE"
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, _option("--tls-cert", "Certificate chain (PEM).", metavar="FILE")
    ] = None,
    tls_key: Annotated[Path | None, _option("--tls-key", "Private key (PEM).", metavar="FILE")] = None,
    redact_errors: Annotated[
        bool,
        _option("--redact-errors/--no-redact-errors", 'Show clients "Server Error" and a request id only.'),
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        _option(
            "--allow-origin", "Origin whose pages may call the API; * for any; repeatable.", metavar="URL"
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        _option("--allow-host", "Additional host name to serve; repeatable.", metavar="NAME"),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        _option("--trusted-proxy", "Proxy whose X-Forwarded-For is trusted; repeatable.", metavar="ADDRESS"),
    ] = None,
    config: Annotated[
        Path | None, _option("--config", "TOML file with a table of limits.", metavar="FILE")
    ] = None,
    print_admin_key: Annotated[
        bool, _option("--print-admin-key", "Print the admin key that the first start creates.")
    ] = False,
    log_format: Annotated[
        Literal["human", "json"] | None,
        _option("--log-format", "human or json [default: human on a terminal].", metavar="FORMAT"),
    ] = None,
    log_sink: Annotated[
        str | None, _option("--log-sink", "Also write the log to this file as JSON lines.", metavar="FILE")
    ] = None,
    access_log: Annotated[bool, _option("--access-log/--no-access-log", "Log every request.")] = True,
    function_log: Annotated[
        bool, _option("--function-log/--no-function-log", "Log every function call.")
    ] = True,
    metrics_port: Annotated[
        int | None,
        _option("--metrics-port", "Port for /metrics without a key; 0 for any free port.", metavar="N"),
    ] = None,
    metrics_host: Annotated[
        str, _option("--metrics-host", "Address of the metrics port.", metavar="ADDRESS")
    ] = "127.0.0.1",
) -> int:
    """Run a production server in the foreground, until SIGTERM or Ctrl-C.

    The first start creates an admin key and shows it once. Options can be set by variables such as
    CONVEXPY_SERVE_SITE_PORT. See `convexpy docs serving`.
    """
    from convexpy_cli.serve import start

    return start.start(ctx, ctx.params)
