"""`convexpy init`."""

from __future__ import annotations

from typing import Annotated

from convexpy_cli.command import argument, command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    examples=(
        "convexpy init my-app --template chat",
        "convexpy init my-app --template react --auth clerk",
        "convexpy init . --yes",
    ),
)
def init(
    ctx: Context,
    folder: Annotated[
        str | None, argument("Folder of the project [default: this one if empty].", "DIR")
    ] = None,
    template: Annotated[
        str | None, option("-t --template NAME", "Template to start from [default: minimal].")
    ] = None,
    list_templates: Annotated[bool, option("--list-templates", "List the templates and exit.")] = False,
    name: Annotated[
        str | None, option("--name NAME", "Name of the project [default: of the folder].")
    ] = None,
    functions: Annotated[str | None, option("--functions DIR", "Functions folder [default: convex].")] = None,
    auth: Annotated[
        str | None, option("--auth KIND", "Sign-in: none, clerk or oidc [default: none].")
    ] = None,
    auth_issuer: Annotated[
        str | None, option("--auth-issuer URL", "With oidc: issuer of the tokens.")
    ] = None,
    auth_application: Annotated[
        str | None, option("--auth-application ID", "With oidc: audience of the tokens.")
    ] = None,
    package_manager: Annotated[
        str | None, option("--package-manager NAME", "uv or pip; npm, pnpm or bun.")
    ] = None,
    install: Annotated[bool | None, option("--install/--no-install", "Install dependencies.")] = None,
    git: Annotated[bool | None, option("--git/--no-git", "Create a git repository.")] = None,
    agents: Annotated[
        bool | None, option("--agents/--no-agents", "Write AGENTS.md for coding agents.")
    ] = None,
    docker: Annotated[bool, option("--docker", "Write a Dockerfile of the deployment.")] = False,
    dry_run: Annotated[bool, option("--dry-run", "Show what would be written.")] = False,
) -> None:
    """Create a project, or add convexpy to an existing folder. Existing files are never replaced."""
    from convexpy_cli.init import wizard

    if list_templates:
        wizard.list_templates(ctx)
        return
    wizard.create(ctx, wizard.ask(ctx, ctx.options(wizard.Flags)), dry_run=dry_run)
