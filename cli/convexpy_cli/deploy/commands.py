"""`convexpy deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from convexpy_cli import completion
from convexpy_cli.command import MORE, command, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    examples=(
        "convexpy deploy --dry-run --json",
        'convexpy deploy --cmd "npm run build"',
        "convexpy deploy --allow=index-drop:messages.by_author",
    ),
)
def deploy(
    ctx: Context,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show the plan only; exit as the deploy would.")
    ] = False,
    diff: Annotated[
        bool, Option("--diff", help="Show changes of arguments and schema line by line.")
    ] = False,
    cmd: Annotated[
        str | None,
        Option("--cmd", metavar="COMMAND", help="Build before the push, with URLs in its environment."),
    ] = None,
    cmd_after: Annotated[
        str | None, Option("--cmd-after", metavar="COMMAND", help="Run this after the push.")
    ] = None,
    cmd_url_env_var: Annotated[
        str | None,
        Option(
            "--cmd-url-env-var",
            "--cmd-url-env-var-name",
            metavar="NAME",
            help="Also set this variable to the URL [default: by framework].",
            rich_help_panel=MORE,
        ),
    ] = None,
    typecheck: Annotated[
        Literal["enable", "try", "disable"] | None,
        Option("--typecheck", metavar="MODE", help="enable, try or disable [default: enable]."),
    ] = None,
    codegen: Annotated[
        Literal["enable", "check", "disable"] | None,
        Option("--codegen", metavar="MODE", help="enable (in CI check), check or disable."),
    ] = None,
    message: Annotated[
        str | None,
        Option("--message", metavar="TEXT", help="For the history [default: the commit's subject]."),
    ] = None,
    actor: Annotated[
        str | None,
        Option(
            "--actor", metavar="NAME", help="For the history [default: git's user].", rich_help_panel=MORE
        ),
    ] = None,
    run: Annotated[
        str | None,
        Option(
            "--run", metavar="FUNCTION", help="Call this after the push.", autocompletion=completion.functions
        ),
    ] = None,
    set_env: Annotated[
        list[str] | None,
        Option("--set-env", metavar="N=V", help="Also set this environment variable; repeatable."),
    ] = None,
    set_env_file: Annotated[
        Path | None, Option("--set-env-file", metavar="FILE", help="Also set the variables of this file.")
    ] = None,
    wait_indexes: Annotated[
        bool,
        Option(
            "--wait-indexes/--no-wait-indexes",
            help="Wait for new indexes, or build them in the background.",
            rich_help_panel=MORE,
        ),
    ] = True,
    index_timeout: Annotated[
        float | None,
        Option(
            "--index-timeout",
            metavar="SECONDS",
            help="How long to wait [default: no limit].",
            rich_help_panel=MORE,
        ),
    ] = None,
    check_build_environment: Annotated[
        Literal["enable", "disable"],
        Option(
            "--check-build-environment",
            metavar="MODE",
            help="Refuse to deploy preview builds to production: enable or disable.",
            rich_help_panel=MORE,
        ),
    ] = "enable",
    push_all: Annotated[
        bool, Option("--push-all", "--push-all-modules", help="Send every module.", rich_help_panel=MORE)
    ] = False,
    large_indexes: Annotated[
        bool, Option("--skip-large-indexes-check", "--allow-deleting-large-indexes", hidden=True)
    ] = False,
    unstaging: Annotated[bool, Option("--allow-unstaging-schema", hidden=True)] = False,
) -> int | None:
    """Deploy to a shared deployment: show the plan, ask for consent, build, and switch atomically.

    Without a flag or CONVEXPY_URL with CONVEXPY_DEPLOY_KEY, it deploys to the deployment marked as production. The
    previous version serves until the switch. Prints the URL.
    """
    from convexpy_cli.deploy.deploy import deploy as perform
    from convexpy_cli.deploy.options import DeployOptions

    return perform(
        ctx,
        DeployOptions(
            dry_run=dry_run,
            diff=diff,
            cmd=cmd,
            cmd_after=cmd_after,
            cmd_url_env_var=cmd_url_env_var,
            typecheck=typecheck,
            codegen=codegen,
            message=message,
            actor=actor,
            run=run,
            set_env=tuple(set_env or ()),
            set_env_file=set_env_file,
            wait_indexes=wait_indexes,
            index_timeout_s=index_timeout,
            check_build_environment=check_build_environment == "enable",
            push_all=push_all,
            allow=("index-drop",) * large_indexes + ("staged-drop",) * unstaging,
        ),
    )
