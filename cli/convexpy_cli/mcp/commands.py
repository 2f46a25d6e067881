"""The commands of `convexpy mcp`."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from convexpy.errors.texts import read_text
from convexpy_cli import errors
from convexpy_cli.command import DEFAULT, command, family, option
from convexpy_cli.context import Context
from convexpy_cli.docs.installed import program

app = family("Serve the Model Context Protocol to coding agents.")

FILES = {
    "claude": (".mcp.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "vscode": (".vscode/mcp.json", "servers"),
}
"""Where clients of the protocol look for servers: the file, and the key in it."""


@command(app, DEFAULT, examples=("convexpy mcp", "convexpy mcp --read-only --disable-tools run,envGet"))
def mcp(
    ctx: Context,
    read_only: Annotated[
        bool, option("--read-only", "Leave out tools that write or execute Python.")
    ] = False,
    disable_tools: Annotated[str | None, option("--disable-tools A,B", "Tools to leave out.")] = None,
    production_reads: Annotated[
        bool,
        option(
            "--allow-production-reads --cautiously-allow-production-pii",
            "List production deployments and read their data.",
        ),
    ] = False,
    production_writes: Annotated[
        bool,
        option(
            "--allow-production-writes --dangerously-enable-production-deployments",
            "Also change production deployments.",
        ),
    ] = False,
) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for coding agents.

    Production deployments are hidden unless they are allowed. A deployment counts as production unless `convexpy dev`
    started its server, whatever the project's configuration says.
    """
    from convexpy_cli.mcp import access, server

    disabled = tuple(disable_tools.split(",")) if disable_tools else ()
    known = [tool.name for tool in access.Deployments(ctx, access.Permissions()).tools()]
    unknown = set(disabled) - set(known)
    if unknown:
        raise errors.usage(f"no tool {min(unknown)!r}", ", ".join(known))
    permissions = access.Permissions(read_only, production_reads, production_writes, disabled)
    deployments = access.Deployments(ctx, permissions)
    server.serve({tool.name: tool for tool in deployments.tools()}, deployments.call)


@command(
    app,
    "install",
    examples=("convexpy mcp install --client claude", "convexpy mcp install --client cursor --yes"),
)
def mcp_install(
    ctx: Context,
    client: Annotated[
        Literal["claude", "cursor", "vscode"], option("--client", "claude, cursor or vscode.")
    ] = "claude",
) -> None:
    """Print the configuration that an MCP client needs. With --yes, write it to the project."""
    name, key = FILES[client]
    command, *arguments = program("convexpy")
    entry = {key: {"convexpy": {"command": command, "args": [*arguments, "mcp"]}}}
    if not ctx.settings.yes:
        ctx.output.result(entry, json.dumps(entry, indent=2))
        ctx.output.note(f"--yes writes it to {name}")
        return
    # Everything else in the client's file stays as it is.
    file = ctx.project.root / name
    try:
        document = json.loads(read_text(file)) if file.is_file() else {}
        document.setdefault(key, {}).update(entry[key])
    except (ValueError, AttributeError) as error:
        raise errors.Failure("ConfigInvalid", f"{name} is not a JSON object: {error}") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    ctx.output.result({"path": str(file)}, str(file))
