"""`convexpy deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command

_MODES = {"typecheck": ("enable", "try", "disable"), "codegen": ("enable", "check", "disable")}


@leaf_command(
    examples=(
        "convexpy deploy --dry-run --json",
        'convexpy deploy --cmd "npm run build"',
        "convexpy deploy --allow=index-drop:messages.by_author",
    )
)
def deploy(
    run: Invocation,
    dry_run: Annotated[bool, Option("--dry-run", help="plan only; exit as the deploy would")] = False,
    diff: Annotated[
        bool, Option("--diff", help="line by line, what changes in arguments and schema")
    ] = False,
    cmd: Annotated[str | None, Option("--cmd", help="build to run before the push, told both URLs")] = None,
    cmd_after: Annotated[str | None, Option("--cmd-after", help="command to run after the switch")] = None,
    cmd_url_env_var: Annotated[
        str | None,
        Option(
            "--cmd-url-env-var",
            "--cmd-url-env-var-name",
            metavar="NAME",
            help="one more variable for the URL [by framework]",
        ),
    ] = None,
    typecheck: Annotated[str | None, Option("--typecheck", help="enable, try or disable [enable]")] = None,
    codegen: Annotated[
        str | None, Option("--codegen", help="enable, check or disable [enable; in CI check]")
    ] = None,
    message: Annotated[str | None, Option("--message", help="for the history [the commit's subject]")] = None,
    actor: Annotated[str | None, Option("--actor", help="for the history [git's user]")] = None,
    run_: Annotated[str | None, Option("--run", metavar="FN", help="call this function at the end")] = None,
    set_env: Annotated[
        list[str] | None,
        Option("--set-env", metavar="N=V", help="set a variable in the same step; repeatable"),
    ] = None,
    set_env_file: Annotated[
        Path | None, Option("--set-env-file", metavar="FILE", help="set its variables in the same step")
    ] = None,
    wait_indexes: Annotated[
        bool,
        Option("--wait-indexes/--no-wait-indexes", help="wait for indexes, or build them behind the scenes"),
    ] = True,
    index_timeout: Annotated[
        float | None, Option("--index-timeout", metavar="SECONDS", help="wait no longer [no limit]")
    ] = None,
    check_build_environment: Annotated[
        str,
        Option("--check-build-environment", help="refuse production from preview builds: enable or disable"),
    ] = "enable",
    push_all: Annotated[bool, Option("--push-all", "--push-all-modules", help="send every module")] = False,
    large_indexes: Annotated[
        bool, Option("--skip-large-indexes-check", "--allow-deleting-large-indexes", hidden=True)
    ] = False,
    unstaging: Annotated[bool, Option("--allow-unstaging-schema", hidden=True)] = False,
    preview: Annotated[
        str | None,
        Option("--preview-name", "--preview-create", "--preview-run", "--preview-expires", hidden=True),
    ] = None,
    rollback: Annotated[bool, Option("--rollback", hidden=True)] = False,
) -> int | None:
    """Push to a shared deployment: plan, ask, build, switch in one moment. Prints its URL.

    Goes where a flag, --env-file or the environment says (CONVEXPY_URL and CONVEXPY_DEPLOY_KEY), else to the deployment
    that is marked production. Until the switch the old version serves; the last line says which one does.

    Exit codes: 0 done, 1 --cmd or --run failed, 3 no target or a variable missing, 5 key, 6 unreachable, 7 the code is
    not deployable, 8 stored documents do not fit, 9 consent missing, 10 another deploy was faster.
    """
    from convexpy_cli.deploy.deploy import deploy as perform
    from convexpy_cli.deploy.options import DeployOptions

    _refuse_what_is_not_there(preview, rollback)
    for name, value in (("typecheck", typecheck), ("codegen", codegen)):
        if value is not None and value not in _MODES[name]:
            raise errors.usage(f"--{name} {value!r} is unknown", ", ".join(_MODES[name]))
    if check_build_environment not in ("enable", "disable"):
        raise errors.usage(
            f"--check-build-environment {check_build_environment!r} is unknown", "enable or disable"
        )
    allow = ("index-drop",) * large_indexes + ("staged-drop",) * unstaging
    return perform(
        run,
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
            run=run_,
            set_env=tuple(set_env or ()),
            set_env_file=set_env_file,
            wait_indexes=wait_indexes,
            index_timeout_s=index_timeout,
            check_build_environment=check_build_environment == "enable",
            push_all=push_all,
            allow=allow,
        ),
    )


def _refuse_what_is_not_there(preview: str | None, rollback: bool) -> None:
    if preview is not None:
        raise errors.Failure(
            "PreviewsUnsupported",
            "a server hosts one deployment, so there are no previews",
            12,
            hint="start a second `convexpy serve` with a data folder of its own, and deploy there",
        )
    if rollback:
        raise errors.Failure(
            "RollbackUnsupported",
            "this version cannot bring an earlier version back by itself",
            12,
            hint="check out its commit (convexpy deployment history) and deploy that",
        )
