"""One deploy: check, plan, ask, build, push, run. Whatever goes wrong before the switch leaves the old version serving."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert

from convexpy.client import AdminClient, PushFile, PushResult
from convexpy.errors import Error, SourceLocation
from convexpy.project import FunctionsFolder, Target, read_env_file
from convexpy.protocol.admin_api import PushInfo
from convexpy.protocol.app_description import AppDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deploy import checks, github, plan_text
from convexpy_cli.deploy.options import DeployOptions, Progress, covers, version_text
from convexpy_cli.deploy.surroundings import (
    Commit,
    current_actor,
    current_commit,
    preview_build,
    variables_read,
)
from convexpy_cli.deploy.switch import switch
from convexpy_cli.output.settings import flag_from_environment
from convexpy_cli.output.units import commit_text

# What every system has: code that reads these needs nothing from the deployment.
_OF_THE_SYSTEM = {
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "CONVEX_CLOUD_URL",
    "CONVEX_SITE_URL",
    "CONVEXPY_DEVELOPMENT",
}


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
        ctx.require_functions()
        self._commit = current_commit(ctx.project.root)
        self._environment = self._variables()
        self._guard(target)
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

    def _guard(self, target: Target) -> None:
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
        variable = preview_build(os.environ)
        if variable and self._options.check_build_environment == "enable" and _is_production(target):
            raise errors.Failure(
                "BuildEnvironmentMismatch",
                f'{variable}: this is not a production build, but "{target.name}" is production',
                hint="use another deployment for such builds, or --check-build-environment disable",
            )

    # With the deployment

    def _with(self, target: Target, client: AdminClient) -> int:
        ctx = self._ctx
        kind = "production" if _is_production(target) else target.kind
        parts = [target.name, kind, target.url, client.version(), self._commit.short, self._commit.branch]
        ctx.output.note(" · ".join(part for part in dict.fromkeys(parts) if part))
        project = ctx.project
        files = FunctionsFolder.of(project, ctx.output.warn).scan()
        request = self._request(target, files)
        planned = self._plan(client, files, request)
        start, plan, app = planned.before, planned.plan, planned.description
        if start is None or plan is None or app is None:
            raise errors.Failure("ServerTooOld", "the server is too old to plan a deploy", hint="update it")
        self._progress.before = version_text(start.version, start.commit, start.dirty)
        result_checks, blocked = self._checks(app)
        changes = _with_places(plan.changes, request["places"], target.name)
        blocked += plan.blocked
        document = {
            "target": {"name": target.name, "url": target.url, "production": _is_production(target)},
            "from": {"version": start.version, "commit": start.commit or None},
            "to": {"version": planned.version, "commit": self._commit.sha or None},
            "changes": changes,
            "blocked": blocked,
            "checks": {**result_checks, "data": plan.data},
            "applied": False,
        }
        self._show(target, changes, start)
        blocked = self._ask(target, changes, blocked)
        if self._options.dry_run:
            return self._end_dry_run(target, document, blocked)
        if blocked:
            github.summarize(self._title(target), changes, blocked[0]["message"])
            raise _failure_of(blocked[0], target)
        return self._apply(target, client, files, request, document)

    def _request(self, target: Target, files: Mapping[str, PushFile]) -> dict[str, Any]:
        project = self._ctx.project
        places = variables_read(files, project.config.functions)
        options = self._options
        note = {
            "message": options.message if options.message is not None else self._commit.subject,
            "actor": options.actor or current_actor(project.root),
            "commit": self._commit.sha,
            "branch": self._commit.branch,
            "dirty": self._commit.clean is False,
        }
        return {
            "places": places,
            "fields": {
                "note": note,
                "environment": [{"name": name, "value": value} for name, value in self._environment.items()],
                "required": list(project.config.required_env),
                "reads": [name for name in places if name not in _OF_THE_SYSTEM],
                "production": _is_production(target),
                "largeTableDocuments": project.config.large_table_documents,
                "allow": self._allow,
            },
        }

    def _plan(
        self, client: AdminClient, files: Mapping[str, PushFile], request: dict[str, Any]
    ) -> PushResult:
        everything, config = self._options.push_all, self._ctx.project.push_config
        with self._ctx.output.working("loading the functions and their packages on the deployment"):
            planned = client.push(
                files, config, dry_run=True, everything=everything, options=request["fields"]
            )
        for text in planned.warnings:
            self._ctx.output.warn(text)
        return planned

    def _checks(self, app: AppDescription) -> tuple[dict[str, str], list[dict[str, Any]]]:
        options, project = self._options, self._ctx.project
        mode = options.codegen or ("check" if flag_from_environment("CI") else "enable")
        if mode == "enable" and options.dry_run:
            mode = "look"
        blocked: list[dict[str, Any]] = []
        codegen = checks.codegen(self._ctx, project, app, mode, blocked)
        mode = options.typecheck or project.config.deploy_typecheck
        return {"codegen": codegen, "typecheck": checks.typecheck(self._ctx, project, mode, blocked)}, blocked

    def _show(self, target: Target, changes: Sequence[Mapping[str, Any]], start: PushInfo) -> None:
        if self._ctx.settings.machine or self._ctx.settings.quiet:
            return
        before = commit_text(start.commit, start.dirty) or f"version {start.version}"
        after = commit_text(self._commit.sha, self._commit.clean is False) or "this folder"
        needed = {change["consent"] for change in changes if change["consent"]}
        given = frozenset(consent for consent in needed if covers(self._allow, consent))
        where = target.url if target.name == target.url else f"{target.name} ({target.url})"
        lines = [plan_text.Line(f"Plan for {where} · {before} → {after}")]
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
        files: Mapping[str, PushFile],
        request: dict[str, Any],
        document: dict[str, Any],
    ) -> int:
        ctx, project, options = self._ctx, self._ctx.project, self._options
        command = options.cmd if options.cmd is not None else project.config.deploy_cmd
        site_url = target.site_url or client.urls()[1]
        name = options.cmd_url_env_var or project.config.deploy_cmd_url_env_var
        variables = checks.build_variables(project, target.url, site_url, name)
        if command:
            client.close()
            checks.run_build(project, command, variables, pushed=False)
        fields = {**request["fields"], "expected": document["from"]["version"], "allow": self._allow}
        result = switch(ctx, options, self._progress, client, files, fields, document["changes"])
        document |= {"applied": True, "unchanged": result.unchanged, "blocked": []}
        document["to"]["version"] = result.version
        self._progress.live = version_text(result.version, self._commit.sha, self._commit.clean is False)
        outcome = f"{target.name} serves {self._progress.live}."
        github.summarize(self._title(target), document["changes"], outcome)
        if options.cmd_after:
            checks.run_build(project, options.cmd_after, variables, pushed=True)
        if options.run:
            document["run"] = checks.run_function(ctx, client, options.run)
        ctx.output.result({**document, "url": target.url}, target.url)
        what = "nothing to change" if result.unchanged else "deployed"
        ctx.output.step("ok", f"{what}: {self._progress.last_line()}", result.ms)
        return errors.OK


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
