"""`convexpy deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from convexpy_cli import completion
from convexpy_cli.command import argument, command, option, single
from convexpy_cli.context import Context

app = single()


@command(
    app,
    examples=(
        "convexpy deploy --dry-run --json",
        'convexpy deploy --cmd "npm run build"',
        "convexpy deploy --allow=index-drop:messages.by_author",
        "convexpy deploy --rollback",
        "convexpy deploy --preview pr-7 --preview-data",
    ),
)
def deploy(
    ctx: Context,
    version: Annotated[
        int | None,
        argument("For --rollback [default: the previous one].", "VERSION"),
    ] = None,
    rollback: Annotated[bool, option("--rollback", "Make an earlier version live again.")] = False,
    preview: Annotated[
        str | None,
        option("--preview --preview-name NAME", "Deploy to a deployment of its own, for a branch."),
    ] = None,
    preview_create: Annotated[
        str | None, option("--preview-create NAME", "The same, but begin with an empty one.", more=True)
    ] = None,
    preview_run: Annotated[
        str | None, option("--preview-run FUNCTION", "Like --run, for previews only.", more=True)
    ] = None,
    preview_expires: Annotated[
        str | None,
        option("--preview-expires TIME", "When to remove it: 12h or 14d [default: 7d].", more=True),
    ] = None,
    preview_data: Annotated[
        bool, option("--preview-data", "Copy documents and files to a new preview.", more=True)
    ] = False,
    preview_env: Annotated[
        bool, option("--preview-env", "Copy environment variables to a new preview.", more=True)
    ] = False,
    dry_run: Annotated[bool, option("--dry-run", "Show the plan only; exit as the deploy would.")] = False,
    diff: Annotated[
        bool, option("--diff", "Show changes of arguments and schema line by line.", more=True)
    ] = False,
    cmd: Annotated[
        str | None, option("--cmd COMMAND", "Build before the push, with URLs in its environment.")
    ] = None,
    cmd_after: Annotated[
        str | None, option("--cmd-after COMMAND", "Run this after the push.", more=True)
    ] = None,
    cmd_url_env_var: Annotated[
        str | None,
        option(
            "--cmd-url-env-var --cmd-url-env-var-name NAME",
            "Also set this variable to the URL [default: by framework].",
            more=True,
        ),
    ] = None,
    typecheck: Annotated[
        Literal["enable", "try", "disable"] | None,
        option("--typecheck MODE", "enable, try or disable [default: enable]."),
    ] = None,
    codegen: Annotated[
        Literal["enable", "check", "disable"] | None,
        option("--codegen MODE", "enable (in CI check), check or disable.", more=True),
    ] = None,
    message: Annotated[
        str | None, option("--message TEXT", "For the history [default: the commit's subject].", more=True)
    ] = None,
    actor: Annotated[
        str | None, option("--actor NAME", "For the history [default: git's user].", more=True)
    ] = None,
    run: Annotated[
        str | None, option("--run FUNCTION", "Call this after the push.", complete=completion.functions)
    ] = None,
    set_env: Annotated[
        list[str] | None,
        option("--set-env N=V", "Also set this environment variable; repeatable.", more=True),
    ] = None,
    set_env_file: Annotated[
        Path | None, option("--set-env-file FILE", "Also set the variables of this file.", more=True)
    ] = None,
    wait_indexes: Annotated[
        bool,
        option(
            "--wait-indexes/--no-wait-indexes",
            "Wait for new indexes, or build them in the background.",
            more=True,
        ),
    ] = True,
    index_timeout: Annotated[
        float | None, option("--index-timeout SECONDS", "How long to wait [default: no limit].", more=True)
    ] = None,
    check_build_environment: Annotated[
        Literal["enable", "disable"],
        option(
            "--check-build-environment MODE",
            "Refuse to deploy preview builds to production: enable or disable.",
            more=True,
        ),
    ] = "enable",
    push_all: Annotated[
        bool, option("--push-all --push-all-modules", "Send every module.", more=True)
    ] = False,
    large_indexes: Annotated[
        bool, option("--skip-large-indexes-check --allow-deleting-large-indexes", hidden=True)
    ] = False,
    unstaging: Annotated[bool, option("--allow-unstaging-schema", hidden=True)] = False,
) -> int | None:
    """Deploy to a shared deployment: show the plan, ask for consent, build, and switch atomically.

    Without a flag or CONVEXPY_URL with CONVEXPY_DEPLOY_KEY, it deploys to the production deployment. The previous version
    serves until the switch. Prints the URL.
    """
    from convexpy_cli.deploy.deploy import deploy as perform
    from convexpy_cli.deploy.options import DeployOptions

    return perform(ctx, ctx.options(DeployOptions))
