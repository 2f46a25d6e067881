"""`convexpy init`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=(
        "convexpy init my-app --template chat",
        "convexpy init my-app --template react --auth clerk",
        "convexpy init . --yes",
        "convexpy init --list-templates --json",
    )
)
def init(
    run: Invocation,
    folder: Annotated[
        str | None, Argument(metavar="DIR", help="the project's folder [. if it is empty]")
    ] = None,
    template: Annotated[
        str | None, Option("--template", "-t", help="scaffold to begin with [minimal; react beside React]")
    ] = None,
    name: Annotated[str | None, Option("--name", help="name of the project [that of the folder]")] = None,
    auth: Annotated[
        str | None, Option("--auth", help="how people sign in: none, clerk or oidc [none]")
    ] = None,
    auth_issuer: Annotated[
        str | None, Option("--auth-issuer", metavar="URL", help="with oidc: who issues the tokens")
    ] = None,
    auth_application: Annotated[
        str | None, Option("--auth-application", metavar="ID", help="with oidc: the application they are for")
    ] = None,
    functions: Annotated[str | None, Option("--functions", help="functions folder [convex]")] = None,
    list_templates: Annotated[bool, Option("--list-templates", help="list the scaffolds and stop")] = False,
    package_manager: Annotated[
        str | None, Option("--package-manager", help="uv or pip; for a front end npm, pnpm or bun")
    ] = None,
    install: Annotated[
        bool | None, Option("--install/--no-install", help="install what the project needs")
    ] = None,
    git: Annotated[bool | None, Option("--git/--no-git", help="make a git repository")] = None,
    agents: Annotated[
        bool | None, Option("--agents/--no-agents", help="write AGENTS.md for coding agents")
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="say what would be written, and write nothing")
    ] = False,
) -> None:
    """Create a project, or adopt a folder. A file that is there is never replaced; running it twice changes nothing.

    Exit codes: 0 done, 1 installing failed, 2 unknown template or sign-in, 3 folder not writable, 4 no folder or no
    issuer and nobody to ask.
    """
    from convexpy_cli.init import wizard

    if list_templates:
        wizard.list_templates(run)
        return
    answers = wizard.ask(
        run,
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
    wizard.create(run, answers, dry_run=dry_run)
