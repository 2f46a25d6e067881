"""`convexpy mcp`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "json"),
    examples=("convexpy mcp", "convexpy mcp --read-only --disable-tools run,envGet"),
)
def mcp(
    run: Invocation,
    read_only: Annotated[
        bool, Option("--read-only", help="leave out every tool that changes something or executes Python")
    ] = False,
    disable_tools: Annotated[
        str | None, Option("--disable-tools", help="names of tools to leave out, separated by commas")
    ] = None,
    production_reads: Annotated[
        bool,
        Option(
            "--allow-production-reads",
            "--cautiously-allow-production-pii",
            help="list production deployments and read their data",
        ),
    ] = False,
    production_writes: Annotated[
        bool,
        Option(
            "--allow-production-writes",
            "--dangerously-enable-production-deployments",
            help="also change production deployments and execute Python there",
        ),
    ] = False,
) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for coding agents.

    Tools: status, tables, data, functionSpec, run, runOneoffQuery, logs, insights, envList, envGet, envSet, envRemove,
    schemaDiff, pushOnce, docs. Production deployments are not visible unless that is allowed. A deployment counts as
    production unless its server was started by `convexpy dev`, whatever the project's configuration says.

    Exit codes: 0 the client has gone, 2 an unknown tool is disabled.
    """
    from convexpy_cli.docs.about import version_text
    from convexpy_cli.mcp import access, rpc
    from convexpy_cli.output import masking

    disabled = tuple(disable_tools.split(",")) if disable_tools else ()
    permissions = access.Permissions(read_only, production_reads, production_writes, disabled)
    known = access.Deployments(run, access.Permissions())
    unknown = set(disabled) - {tool.name for tool in known.tools()}
    if unknown:
        raise errors.usage(f"no tool {min(unknown)!r}", ", ".join(tool.name for tool in known.tools()))
    deployments = access.Deployments(run, permissions)
    tools = [tool.described() for tool in deployments.tools()]

    def described(error: Exception) -> str:
        if not hasattr(error, "to_json"):
            return masking.mask(f"{type(error).__name__}: {error}")
        shown = errors.shown(error)
        hint = f"\ntry: {shown['hint']}" if shown["hint"] else ""
        return masking.mask(f"error[{shown['code']}]: {shown['message']}{hint}")

    rpc.run(rpc.Server("convexpy", version_text(), tools, deployments.call, described))


@leaf_command(examples=("convexpy mcp install --client claude", "convexpy mcp install --client cursor --yes"))
def mcp_install(
    run: Invocation,
    client: Annotated[str, Option("--client", help="claude, cursor or vscode")] = "claude",
) -> None:
    """Print the configuration that a client needs; --yes writes it into the project.

    Exit codes: 0 done, 2 unknown client, 3 the client's file is no JSON.
    """
    from convexpy_cli.mcp import install

    if client not in install.FILES:
        raise errors.usage(f"--client {client!r} is unknown", ", ".join(install.FILES))
    if run.settings.yes:
        file = install.written(client, run.project.root)
        run.output.result({"path": str(file)}, str(file))
        return
    import json

    entry = install.entry(client)
    run.output.result(entry, json.dumps(entry, indent=2))
    run.output.note(f"--yes writes it to {install.FILES[client][0]}")
