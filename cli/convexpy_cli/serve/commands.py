"""`convexpy serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


def _option(name: str, help: str, *, metavar: str | None = None) -> Any:
    """Return an option that a variable sets, too: `--site-port` is CONVEXPY_SERVE_SITE_PORT."""
    flag = name.partition("/")[0]
    variable = "CONVEXPY_SERVE_" + flag.removeprefix("--").replace("-", "_").upper()
    return Option(name, help=help, metavar=metavar, envvar=variable, show_default=True)


@leaf_command(
    examples=(
        "convexpy serve --data /var/lib/convexpy/data --origin https://api.example.com",
        "convexpy serve --data ./convexpy-data --push ./convex --host 127.0.0.1",
        "convexpy serve --tls-cert chain.pem --tls-key key.pem --log-format json",
    )
)
def serve(
    run: Invocation,
    data: Annotated[Path, _option("--data", "folder for database, files and keys", metavar="DIR")] = Path(
        "convexpy-data"
    ),
    storage: Annotated[
        str | None, _option("--storage", "where files are: DIR or s3://BUCKET/PREFIX (default: DATA/storage)")
    ] = None,
    host: Annotated[str, _option("--host", "address to listen at")] = "0.0.0.0",
    port: Annotated[int, _option("--port", "port of the API; 0: any free one")] = 3210,
    site_port: Annotated[
        int, _option("--site-port", "port of HTTP actions; 0: under /http of the main port")
    ] = 3211,
    origin: Annotated[
        str | None, _option("--origin", "public URL of the API, as clients see it", metavar="URL")
    ] = None,
    site_origin: Annotated[
        str | None, _option("--site-origin", "public URL of HTTP actions", metavar="URL")
    ] = None,
    workers: Annotated[
        int | None,
        _option("--workers", "processes that run queries (default: one for each core)", metavar="N"),
    ] = None,
    name: Annotated[str | None, _option("--name", "name of a new deployment (default: generated)")] = None,
    secret_file: Annotated[
        Path | None,
        _option(
            "--secret-file", "signing secret: 64 hex digits or more (default: generated)", metavar="FILE"
        ),
    ] = None,
    tls_cert: Annotated[Path | None, _option("--tls-cert", "certificate chain, PEM", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, _option("--tls-key", "its private key, PEM", metavar="FILE")] = None,
    redact_errors: Annotated[
        bool, _option("--redact-errors/--no-redact-errors", 'clients see "Server Error" and a request id')
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        _option(
            "--allow-origin",
            "web origin whose pages may call the API, or * for any; repeatable (default: its own, localhost)",
            metavar="URL",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        _option(
            "--allow-host",
            "host name to answer to, beside those of --origin and --site-origin; repeatable",
            metavar="NAME",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        _option(
            "--trusted-proxy",
            "address or network whose X-Forwarded-For counts; repeatable",
            metavar="ADDRESS",
        ),
    ] = None,
    config: Annotated[
        Path | None, _option("--config", "TOML file with a table of limits", metavar="FILE")
    ] = None,
    push: Annotated[
        Path | None, _option("--push", "make this functions folder live at the start", metavar="DIR")
    ] = None,
    print_admin_key: Annotated[
        bool, _option("--print-admin-key", "print the key that the first start makes, on stdout")
    ] = False,
    log_format: Annotated[
        str | None, _option("--log-format", "human or json (default: human on a terminal)")
    ] = None,
    log_sink: Annotated[
        str | None, _option("--log-sink", "file that gets a copy of the log, as JSON lines", metavar="FILE")
    ] = None,
    access_log: Annotated[
        bool, _option("--access-log/--no-access-log", "a log line for each request")
    ] = True,
    function_log: Annotated[
        bool, _option("--function-log/--no-function-log", "a log line for each call of a function")
    ] = True,
    metrics_port: Annotated[
        int | None,
        _option("--metrics-port", "port for /metrics without a key; 0: any free one (default: no such port)"),
    ] = None,
    metrics_host: Annotated[str, _option("--metrics-host", "address of that port")] = "127.0.0.1",
    db: Annotated[str, _option("--db", "sqlite; postgres is not supported by this server")] = "sqlite",
    database_url: Annotated[
        str | None, _option("--database-url", "not supported by this server", metavar="DSN")
    ] = None,
    host_deployments: Annotated[
        bool, _option("--host-deployments", "not supported by this server: one data folder, one deployment")
    ] = False,
) -> int:
    """Run a production deployment server in the foreground, until SIGTERM or Ctrl-C.

    Logs go to stderr, the ready line to stdout. The first start makes name, secret and one admin key, shown once:
    on the terminal, with --print-admin-key, or in a file that the log names. Docs: docs/serving.md.

    Exit codes: 0 stopped, 3 bad configuration, 7 or 8 --push was refused, 9 unsafe, 10 port or data folder in use,
    11 data of a newer version, 12 not supported, 143 or 130 ended by a second signal.
    """
    from convexpy_cli.serve import start

    wanted = start.Wanted(
        data=data,
        host=host,
        port=port,
        site_port=site_port,
        values={
            "--storage": storage,
            "--origin": origin,
            "--site-origin": site_origin,
            "--name": name,
            "--secret-file": secret_file,
            "--tls-cert": tls_cert,
            "--tls-key": tls_key,
            "--config": config,
            "--metrics-port": metrics_port,
            "--metrics-host": metrics_host,
        },
        lists={
            "--allow-origin": allow_origin or [],
            "--allow-host": allow_host or [],
            "--trusted-proxy": trusted_proxy or [],
        },
        switches={
            "--redact-errors": redact_errors,
            "--print-admin-key": print_admin_key,
            "--access-log": access_log,
            "--function-log": function_log,
        },
        workers=workers,
        push=push,
        log_format=log_format,
        log_sink=log_sink,
    )
    start.refuse_unsupported(db, database_url, host_deployments=host_deployments)
    return start.start(run, wanted)
