"""`convexpy init`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli.command import command, single
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
        str | None, Argument(metavar="DIR", help="Folder of the project [default: this one if empty].")
    ] = None,
    template: Annotated[
        str | None,
        Option("-t", "--template", metavar="NAME", help="Template to start from [default: minimal]."),
    ] = None,
    list_templates: Annotated[bool, Option("--list-templates", help="List the templates and exit.")] = False,
    name: Annotated[
        str | None, Option("--name", metavar="NAME", help="Name of the project [default: of the folder].")
    ] = None,
    functions: Annotated[
        str | None, Option("--functions", metavar="DIR", help="Functions folder [default: convex].")
    ] = None,
    auth: Annotated[
        str | None, Option("--auth", metavar="KIND", help="Sign-in: none, clerk or oidc [default: none].")
    ] = None,
    auth_issuer: Annotated[
        str | None, Option("--auth-issuer", metavar="URL", help="With oidc: issuer of the tokens.")
    ] = None,
    auth_application: Annotated[
        str | None, Option("--auth-application", metavar="ID", help="With oidc: audience of the tokens.")
    ] = None,
    package_manager: Annotated[
        str | None, Option("--package-manager", metavar="NAME", help="uv or pip; npm, pnpm or bun.")
    ] = None,
    install: Annotated[bool | None, Option("--install/--no-install", help="Install dependencies.")] = None,
    git: Annotated[bool | None, Option("--git/--no-git", help="Create a git repository.")] = None,
    agents: Annotated[
        bool | None, Option("--agents/--no-agents", help="Write AGENTS.md for coding agents.")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be written.")] = False,
) -> None:
    """Create a project, or add convexpy to an existing folder. Existing files are never replaced."""
    from convexpy_cli.init import wizard

    if list_templates:
        wizard.list_templates(ctx)
        return
    answers = wizard.ask(
        ctx,
        folder=folder,
        template=template,
        name=name,
        auth=auth,
        auth_issuer=auth_issuer,
        auth_application=auth_application,
        functions=functions,
        package_manager=package_manager,
        install=install,
        git=git,
        agents=agents,
    )
    wizard.create(ctx, answers, dry_run=dry_run)
