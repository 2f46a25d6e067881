"""`convexpy serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context
from convexpy_cli.serve import DATABASE

app = single()


def _option(names: str, help: str, *, more: bool = True) -> Any:
    """Return an option that an environment variable sets too: `--site-port` is CONVEXPY_SERVE_SITE_PORT."""
    name = names.partition(" ")[0].partition("/")[0]
    variable = "CONVEXPY_SERVE_" + name.removeprefix("--").replace("-", "_").upper()
    return option(names, help, more=more, envvar=variable)


@command(
    app,
    examples=(
        "convexpy serve --data /var/lib/convexpy/data --origin https://api.example.com",
        "convexpy serve --tls-cert chain.pem --tls-key key.pem --log-format json",
    ),
)
def serve(
    ctx: Context,
    data: Annotated[Path, _option("--data DIR", "Folder for all data.", more=False)] = Path("convexpy-data"),
    storage: Annotated[
        str | None, _option("--storage WHERE", "Where to store files: DIR or s3://BUCKET/PREFIX.", more=False)
    ] = None,
    database: Annotated[
        str | None,
        option(
            "--database URL",
            "Keep the data in this PostgreSQL database.",
            envvar=[DATABASE, "CONVEXPY_SERVE_DATABASE"],
        ),
    ] = None,
    host: Annotated[str, _option("--host ADDRESS", "Address to listen on.", more=False)] = "0.0.0.0",
    port: Annotated[int, _option("--port N", "Port of the API; 0 for any free port.", more=False)] = 3210,
    site_port: Annotated[
        int, _option("--site-port N", "Port for HTTP actions; 0: under /http.", more=False)
    ] = 3211,
    origin: Annotated[str | None, _option("--origin URL", "Public URL of the API.", more=False)] = None,
    site_origin: Annotated[
        str | None, _option("--site-origin URL", "Public URL of HTTP actions.", more=False)
    ] = None,
    workers: Annotated[
        int | None, _option("--workers N", "Processes that run queries [default: one per core].")
    ] = None,
    push: Annotated[
        Path | None, _option("--push DIR", "Push this functions folder at start.", more=False)
    ] = None,
    node: Annotated[
        str | None,
        _option("--node HOST", "Be one of several nodes: how the others reach this machine."),
    ] = None,
    database_schema: Annotated[
        str | None, _option("--database-schema NAME", "Schema of the database [default: convexpy].")
    ] = None,
    name: Annotated[
        str | None, _option("--name NAME", "Name of a new deployment [default: generated].")
    ] = None,
    secret_file: Annotated[
        Path | None,
        _option("--secret-file FILE", "Signing secret, at least 64 hex digits [default: generated]."),
    ] = None,
    tls_cert: Annotated[Path | None, _option("--tls-cert FILE", "Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, _option("--tls-key FILE", "Private key (PEM).")] = None,
    redact_errors: Annotated[
        bool,
        _option("--redact-errors/--no-redact-errors", 'Show clients "Server Error" and a request id only.'),
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        _option("--allow-origin URL", "Origin whose pages may call the API; * for any; repeatable."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, _option("--allow-host NAME", "Additional host name to serve; repeatable.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        _option("--trusted-proxy ADDRESS", "Proxy whose X-Forwarded-For is trusted; repeatable."),
    ] = None,
    config: Annotated[Path | None, _option("--config FILE", "TOML file with a table of limits.")] = None,
    print_admin_key: Annotated[
        bool, _option("--print-admin-key", "Print the admin key that the first start creates.")
    ] = False,
    log_format: Annotated[
        Literal["human", "json"] | None,
        _option("--log-format FORMAT", "human or json [default: human on a terminal]."),
    ] = None,
    log_sink: Annotated[
        str | None, _option("--log-sink FILE", "Also write the log to this file as JSON lines.")
    ] = None,
    access_log: Annotated[bool, _option("--access-log/--no-access-log", "Log every request.")] = True,
    function_log: Annotated[
        bool, _option("--function-log/--no-function-log", "Log every function call.")
    ] = True,
    previews: Annotated[
        str | None, _option("--previews PORTS", "Host previews on these ports, such as 3300-3349.")
    ] = None,
    preview_origin: Annotated[
        str | None, _option("--preview-origin URL", "Their public URLs, with {port} or {name}.")
    ] = None,
    preview_allow_origin: Annotated[
        list[str] | None,
        _option("--preview-allow-origin URL", "Origin whose pages may call previews; * for any; repeatable."),
    ] = None,
    metrics_port: Annotated[
        int | None, _option("--metrics-port N", "Port for /metrics without a key; 0 for any free port.")
    ] = None,
    metrics_host: Annotated[
        str, _option("--metrics-host ADDRESS", "Address of the metrics port.")
    ] = "127.0.0.1",
) -> int:
    """Run a production server in the foreground, until SIGTERM or Ctrl-C.

    The first start creates an admin key and shows it once. Options can be set by variables such as
    CONVEXPY_SERVE_SITE_PORT. See `convexpy docs serving`.
    """
    from convexpy_cli.serve import start

    return start.start(ctx, ctx.params)
