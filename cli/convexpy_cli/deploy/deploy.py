"""One deploy: check, plan, ask, build, push, run. Whatever goes wrong before the switch leaves the old version serving."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert

from convexpy.client import AdminClient, PushResult
from convexpy.errors import Error, SourceLocation
from convexpy.project import Target, read_env_file
from convexpy.protocol.admin_api import PushInfo
from convexpy.protocol.app_description import AppDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deploy import checks, github, plan_text, preview
from convexpy_cli.deploy.contents import Contents, check_options, of_kept_version, of_project
from convexpy_cli.deploy.options import DeployOptions, Progress, covers, version_text
from convexpy_cli.deploy.surroundings import (
    Commit,
    current_commit,
    preview_build,
)
from convexpy_cli.deploy.switch import switch
from convexpy_cli.output.settings import flag_from_environment
from convexpy_cli.output.units import commit_text


def deploy(ctx: Context, options: DeployOptions) -> int:
    """Deploy; return the exit status. The last line always says what serves now."""
    progress = Progress()
    try:
        return _Deploy(ctx, options, progress).perform()
    except (KeyboardInterrupt, errors.TimeLimit):
        ctx.output.note(progress.last_line())
        raise
    except Error as error:
        fields = ctx.shown(error)
        github.annotate(fields)
        if ctx.settings.machine or ctx.settings.debug:
            ctx.output.note(progress.last_line())
            raise
        ctx.output.error(fields)
        ctx.output.note(progress.last_line())
        return int(fields["exitCode"])


class _Deploy:
    def __init__(self, ctx: Context, options: DeployOptions, progress: Progress) -> None:
        self._ctx = ctx
        self._options = options
        self._progress = progress
        self._commit = Commit()
        self._environment: dict[str, str] = {}
        self._allow = [*ctx.settings.allow, *options.allow]

    def perform(self) -> int:
        ctx = self._ctx
        target = ctx.target(deploying=True)
        self._progress.target = target.name
        self._progress.look = ctx.runnable("convexpy status")
        check_options(self._options)
        preview.check_options(self._options)
        if not self._options.rollback:
            ctx.require_functions()
            self._commit = current_commit(ctx.project.root)
            self._require_clean_git()
        self._environment = self._variables()
        self._guard(target)
        with ctx.connected("deploy", target=target) as (target, client):
            if not self._options.previews:
                return self._with(target, client)
            target = preview.PreviewOfTarget(ctx, self._options, target, client).claim()
        self._progress.target = target.name
        self._progress.look = ctx.runnable(f"convexpy status -d {target.name}")
        with ctx.connected("deploy", target=target) as (target, client):
            return self._with(target, client)

    # Before anything is asked

    def _variables(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._options.set_env_file is not None:
            if not self._options.set_env_file.is_file():
                raise errors.usage(f"--set-env-file {self._options.set_env_file}: no such file")
            found |= read_env_file(self._options.set_env_file)
        for text in self._options.set_env or ():
            name, equals, value = text.partition("=")
            if not equals:
                raise errors.usage(f"--set-env {name}: no value", "--set-env NAME=VALUE")
            found[name] = value
        from convexpy_cli.output import masking

        for value in found.values():
            masking.register(value)
        return found

    def _require_clean_git(self) -> None:
        root = self._ctx.project.root
        if (
            self._ctx.project.config.require_clean_git
            and not self._options.dry_run
            and not self._commit.clean
        ):
            raise errors.Failure(
                "GitNotClean",
                "there are uncommitted changes"
                if self._commit.clean is False
                else f"{root} is not a git repository",
                hint="commit them, or set [deploy] require-clean-git = false",
            )

    def _guard(self, target: Target) -> None:
        variable = None if self._options.previews else preview_build(os.environ)
        if variable and self._options.check_build_environment == "enable" and _is_production(target):
            raise errors.Failure(
                "BuildEnvironmentMismatch",
                f'{variable}: this is not a production build, but "{target.name}" is production',
                hint="--preview NAME, another deployment, or --check-build-environment disable",
            )

    # With the deployment

    def _with(self, target: Target, client: AdminClient) -> int:
        ctx = self._ctx
        kind = "production" if _is_production(target) else target.kind
        parts = [target.name, kind, target.url, client.version(), self._commit.short, self._commit.branch]
        ctx.output.note(" · ".join(part for part in dict.fromkeys(parts) if part))
        if self._options.rollback:
            contents = of_kept_version(ctx, self._options, client)
            self._commit = contents.commit
        else:
            contents = of_project(ctx, self._options, self._commit)
        request = self._request(target, contents)
        planned = self._plan(client, contents, request)
        start, plan, app = planned.before, planned.plan, planned.description
        if start is None or plan is None or app is None:
            raise errors.Failure("ServerTooOld", "the server is too old to plan a deploy", hint="update it")
        self._progress.before = version_text(start.version, start.commit, start.dirty)
        result_checks, blocked = self._checks(app)
        changes = _with_places(plan.changes, contents.places, target.name)
        blocked += plan.blocked
        document: dict[str, Any] = {
            "target": {"name": target.name, "url": target.url, "production": _is_production(target)},
            "from": {"version": start.version, "commit": start.commit or None},
            "to": {"version": planned.version, "commit": self._commit.sha or None},
            "changes": changes,
            "blocked": blocked,
            "checks": {**result_checks, "data": plan.data},
            "applied": False,
        }
        if contents.rollback is not None:
            document["rollback"] = contents.rollback
        self._show(target, contents, changes, start)
        blocked = self._ask(target, changes, blocked)
        if self._options.dry_run:
            return self._end_dry_run(target, document, blocked)
        if blocked:
            github.summarize(self._title(target), changes, blocked[0]["message"])
            raise _failure_of(blocked[0], target)
        return self._apply(target, client, contents, request, document)

    def _request(self, target: Target, contents: Contents) -> dict[str, Any]:
        return {
            **contents.fields,
            "environment": [{"name": name, "value": value} for name, value in self._environment.items()],
            "production": _is_production(target),
            "allow": self._allow,
        }

    def _plan(self, client: AdminClient, contents: Contents, request: dict[str, Any]) -> PushResult:
        everything = self._options.push_all
        with self._ctx.output.working("loading the functions and their packages on the deployment"):
            planned = client.push(
                contents.files, contents.config, dry_run=True, everything=everything, options=request
            )
        for text in planned.warnings:
            self._ctx.output.warn(text)
        return planned

    def _checks(self, app: AppDescription) -> tuple[dict[str, str], list[dict[str, Any]]]:
        options = self._options
        if options.rollback:
            return {"codegen": "skipped", "typecheck": "skipped"}, []
        project = self._ctx.project
        mode = options.codegen or ("check" if flag_from_environment("CI") else "enable")
        if mode == "enable" and options.dry_run:
            mode = "look"
        blocked: list[dict[str, Any]] = []
        codegen = checks.codegen(self._ctx, project, app, mode, blocked)
        mode = options.typecheck or project.config.deploy_typecheck
        return {"codegen": codegen, "typecheck": checks.typecheck(self._ctx, project, mode, blocked)}, blocked

    def _show(
        self, target: Target, contents: Contents, changes: Sequence[Mapping[str, Any]], start: PushInfo
    ) -> None:
        if self._ctx.settings.machine or self._ctx.settings.quiet:
            return
        before = commit_text(start.commit, start.dirty) or f"version {start.version}"
        needed = {change["consent"] for change in changes if change["consent"]}
        given = frozenset(consent for consent in needed if covers(self._allow, consent))
        where = target.url if target.name == target.url else f"{target.name} ({target.url})"
        lines = [plan_text.Line(f"Plan for {where} · {before} → {contents.text}")]
        lines += plan_text.plan_lines(changes, covered=given, diff=self._options.diff)
        plan_text.show(self._ctx.settings, lines)

    # Consent

    def _ask(
        self, target: Target, changes: Sequence[Mapping[str, Any]], blocked: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Ask for what needs consent, on a terminal; return what still stands in the way."""
        prompts = self._ctx.prompts
        if self._options.dry_run or not prompts.allowed():
            return blocked
        others = [block for block in blocked if block["code"] != "ConsentRequired"]
        if others:
            return blocked
        harmful = [change for change in changes if change["consent"]]
        for change in harmful:
            if covers(self._allow, change["consent"]):
                continue
            question = f"{plan_text.singular(change['area'])} {change['name']} will be removed: {change['detail']}. Continue?"
            prompts.agree(question, routine=False)
            self._allow.append(change["consent"])
        count = f"these {len(changes)} changes" if len(changes) != 1 else "this change"
        asks = bool(changes) and (target.protected or _is_production(target))
        if asks:
            prompts.agree(f"Deploy {count} to {target.name}?", default=not harmful)
        return []

    def _end_dry_run(self, target: Target, document: dict[str, Any], blocked: list[dict[str, Any]]) -> int:
        outcome = blocked[0]["message"] if blocked else "It would be accepted as it is."
        github.summarize(self._title(target), document["changes"], outcome)
        self._ctx.output.result(document)
        if blocked:
            error = _failure_of(blocked[0], target)
            github.annotate(errors.shown(error))
            self._ctx.output.error(self._ctx.shown(error))
            return error.exit_code
        if not self._ctx.settings.machine:
            self._ctx.output.note(f"a dry run: {self._progress.last_line()}")
        return errors.OK

    def _title(self, target: Target) -> str:
        return f"Deploy to {target.name}" + (f" · {self._commit.short}" if self._commit.sha else "")

    # Doing it

    def _apply(
        self,
        target: Target,
        client: AdminClient,
        contents: Contents,
        request: dict[str, Any],
        document: dict[str, Any],
    ) -> int:
        ctx, options = self._ctx, self._options
        if not options.rollback:
            self._build(target, client)
        fields = {**request, "expected": document["from"]["version"], "allow": self._allow}
        result = switch(ctx, options, self._progress, client, contents, fields, document["changes"])
        document |= {"applied": True, "unchanged": result.unchanged, "blocked": []}
        document["to"]["version"] = result.version
        self._progress.live = version_text(result.version, self._commit.sha, self._commit.clean is False)
        outcome = f"{target.name} serves {self._progress.live}."
        github.summarize(self._title(target), document["changes"], outcome)
        if options.cmd_after:
            checks.run_build(
                ctx.project, options.cmd_after, self._build_variables(target, client), pushed=True
            )
        if options.function:
            document["run"] = checks.run_function(ctx, client, options.function)
        ctx.output.result({**document, "url": target.url}, target.url)
        what = "rolled back" if options.rollback else "deployed"
        what = "nothing to change" if result.unchanged else what
        ctx.output.step("ok", f"{what}: {self._progress.last_line()}", result.ms)
        return errors.OK

    def _build(self, target: Target, client: AdminClient) -> None:
        project = self._ctx.project
        command = self._options.cmd if self._options.cmd is not None else project.config.deploy_cmd
        if command:
            variables = self._build_variables(target, client)
            client.close()
            checks.run_build(project, command, variables, pushed=False)

    def _build_variables(self, target: Target, client: AdminClient) -> dict[str, str]:
        project = self._ctx.project
        site_url = target.site_url or client.urls()[1]
        name = self._options.cmd_url_env_var or project.config.deploy_cmd_url_env_var
        return checks.build_variables(project, target.url, site_url, name)


def _is_production(target: Target) -> bool:
    """A remote deployment that no configuration calls something else counts as production."""
    return target.production or (target.kind == "remote" and not target.named)


def _with_places(
    changes: Sequence[dict[str, Any]], places: Mapping[str, str], target: str
) -> list[dict[str, Any]]:
    """Say of variables that are not set where they are read."""
    for change in changes:
        if change["area"] == "env" and change["kind"] in ("missing", "unset"):
            place = places.get(change["name"])
            change["detail"] = f"used in {place}, not set on {target}" if place else f"not set on {target}"
    return list(changes)


def _failure_of(block: Mapping[str, Any], target: Target) -> errors.Failure:
    message = block["message"]
    if block["code"] == "ConsentRequired":
        message += f'; nothing was changed on "{target.name}"'
    place = block.get("location")
    return errors.Failure(
        block["code"],
        message,
        hint=block.get("hint"),
        location=None if place is None else convert(place, SourceLocation),
        data=block.get("data"),
    )
