"""What a running command has: its settings, its output, its prompts, the project, and the deployment it is about."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from convexpy_cli import errors
from convexpy_cli.output import files
from convexpy_cli.output.settings import Settings

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy.errors import Error
    from convexpy.project import LocalDeployment, Project, Target
    from convexpy_cli.output.base import Output
    from convexpy_cli.output.prompts import Prompts

START_DEADLINE_S = 30.0
KEY_ON_COMMAND_LINE = (
    "a key on the command line is visible to other users and kept by shells: "
    "use CONVEXPY_DEPLOY_KEY, or {flag} - to read it from stdin (said once)"
)
_LOOK_EVERY_S = 0.02

T = TypeVar("T")


FLAG_PREFIX = "flag_"


class Context(typer.Context):
    """What a command gets: typer's context, with the global flags, and what is made from them when it is first used."""

    def __init__(
        self,
        *args: Any,
        formats: Sequence[str] = ("human", "json"),
        examples: Sequence[str] = (),
        secret_values: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.formats = formats
        self.examples = examples
        self.secret_values = secret_values
        self.flags: dict[str, Any] = {}
        self.full_help = False
        self._other: str | None = None
        """The deployment, where commands that do not name it would use another one."""

    @property
    def command_path(self) -> str:
        """The command with its family: `convexpy env set`."""
        return super().command_path.rstrip()

    @cached_property
    def settings(self) -> Settings:
        """The global flags, wherever they stand; those after the command win.

        Raises:
            Failure: one has a wrong value (exit 2).
        """
        return Settings.of(self.all_flags, self.formats)

    @property
    def all_flags(self) -> dict[str, Any]:
        """The global flags of this command and of those above it."""
        outer = self.parent.all_flags if isinstance(self.parent, Context) else {}
        own = {name: value for name, value in self.flags.items() if value not in (None, (), [])}
        allow = (*outer.get("allow", ()), *own.get("allow", ()))
        return {**outer, **own, "allow": allow}

    @cached_property
    def output(self) -> Output:
        """Where results, notes and errors go."""
        from convexpy_cli.output import choose_output

        return choose_output(self.settings)

    def sibling(self, **changes: Any) -> Context:
        """Return a context of the same command with other settings, to be closed by its user."""
        other = Context(self.command, parent=self.parent, info_name=self.info_name, formats=self.formats)
        other.__dict__["settings"] = replace(self.settings, **changes)
        return other

    def options(self, kind: type[T]) -> T:
        """Return the parameters of the command that the dataclass `kind` has fields for."""
        names = [field.name for field in fields(kind) if field.name in self.params]  # type: ignore[arg-type]
        return kind(**{name: self.params[name] for name in names})

    def command_line(self) -> str:
        """Return the command and the flags that it was given, without their values: they may be secrets."""
        given = {**self.params, **{FLAG_PREFIX + name: value for name, value in self.flags.items()}}
        names = [(str(each.name), each.opts[-1]) for each in self.command.params]
        flags = [flag for name, flag in names if flag.startswith("-") and given.get(name)]
        return " ".join([self.command_path, *flags])

    @cached_property
    def prompts(self) -> Prompts:
        """Questions to the person at the terminal."""
        from convexpy_cli.output.prompts import Prompts

        return Prompts(self.settings)

    @cached_property
    def project(self) -> Project:
        """The project around the current folder; its warnings are printed once.

        Raises:
            ProjectError: there is none, or its configuration is wrong.
        """
        from convexpy.project import find_project

        project = find_project(Path.cwd())
        for warning in project.warnings:
            self.output.warn(warning)
        return project

    @property
    def project_or_none(self) -> Project | None:
        """The project around the current folder, or None: a deployment can be named without one.

        Raises:
            ProjectError: its configuration is wrong.
        """
        from convexpy.errors import ProjectError

        try:
            return self.project
        except ProjectError as error:
            if error.code != "ProjectNotFound":
                raise
            return None

    def require_functions(self) -> None:
        """Raise Failure if the project has no functions folder."""
        if not self.project.functions.is_dir():
            hint = "convexpy init, or [project] functions in convexpy.toml"
            name = self.project.config.functions
            raise errors.Failure("ProjectNotFound", f"no functions folder {name}/", hint=hint)

    def target(self, *, deploying: bool = False) -> Target:
        """Return the target that flags, environment and files choose; its notes are printed.

        A project is needed only where nothing else says which deployment is meant, and for the local one.
        """
        from convexpy.project import TargetRequest, resolve_target

        settings = self.settings
        key = settings.admin_key
        if key == "-":
            key = files.first_line_of_stdin("--admin-key")
        elif key is not None:
            key_on_command_line(self.output, "--admin-key")
        request = TargetRequest(
            deployment=settings.deployment,
            url=settings.url,
            admin_key=key,
            env_file=Path(settings.env_file) if settings.env_file else None,
            environment=os.environ,
            deploying=deploying,
        )
        project = self.project_or_none
        target = resolve_target(project, request)
        if project is None and target.kind == "local":
            _ = self.project  # raises and says where it was looked for
        for note in target.notes:
            self.output.note(note)
        self._other = target.name if target.named and (deploying or settings.deployment) else None
        return target

    def shown(self, error: Error) -> dict[str, Any]:
        """Return an error in the form that is shown; its hint names commands as they run here, for the same deployment."""
        fields = errors.shown(error)
        if fields["hint"] and not self.settings.machine:
            fields["hint"] = self.runnable(fields["hint"])
        return fields

    def runnable(self, text: str) -> str:
        """Return a text whose commands run as they stand: `convexpy env set X` with its path and deployment, if needed."""
        from convexpy_cli.docs.installed import runnable_here

        return runnable_here(text, getattr(self.find_root().command, "commands", ()), self._other)

    @contextmanager
    def connected(
        self, command: str, *, writes: bool = False, target: Target | None = None
    ) -> Generator[tuple[Target, AdminClient], None, None]:
        """Yield the target and a client of it.

        A local deployment that does not run is started, and stopped again at the end. With `writes` the target is named
        first, and a protected one has to be consented to. `target` is one that is chosen already.
        """
        from convexpy.project import LocalDeployment

        target = target or self.target()
        if writes:
            self._announce(target)
        if target.kind == "remote":
            require_key(target)
            yield target, self.client(target)
            return
        local = LocalDeployment(self.project)
        holder = local.acquire(command, time.time())
        if holder is not None:
            target = attach(local, target)
            yield target, self.client(target)
            return
        from convexpy_cli.deployments.local_server import LocalServer

        try:
            with self.output.working("starting the local deployment", quick=True):
                server = LocalServer.start(local)
            try:
                target = replace(
                    target, url=server.url, site_url=server.site_url, admin_key=local.admin_key()
                )
                yield target, self.client(target)
            finally:
                server.stop()
        finally:
            local.release()

    def client(self, target: Target) -> AdminClient:
        """Return a client of `target`; its key is masked in all output from now on."""
        from convexpy.client import AdminClient
        from convexpy_cli.output import masking

        if target.admin_key:
            masking.register(target.admin_key)
        client = AdminClient(target.url, target.admin_key, source=target.url_source)
        self.call_on_close(client.close)
        return client

    def _announce(self, target: Target) -> None:
        kind = "production" if target.production else target.kind
        self.output.note(" · ".join(dict.fromkeys(part for part in (target.name, kind, target.url) if part)))
        self.unprotect(target)

    def unprotect(self, target: Target) -> None:
        """Ask before something is changed on a protected deployment.

        Raises:
            Failure: nobody agreed (exit 9).
        """
        question = f"{target.name} is protected. Continue?"
        if target.protected and not self.prompts.agree(question):
            raise errors.Failure("DeploymentProtected", f'"{target.name}" is protected', hint="--yes")

    def require_consent(self, question: str, refused: str, *, allow: str = "", yes: bool = True) -> None:
        """Ask before a change that loses something. `allow` is the kind of `--allow` that consents to it.

        With `yes`, `--yes` consents too.

        Raises:
            Failure: nobody agreed (exit 9), with the message `refused`.
        """
        if allow in self.settings.allow:
            return
        if not self.prompts.agree(question, routine=yes):
            raise errors.consent(refused, f"--allow={allow}" if allow else "--yes")


def served(local: LocalDeployment, target: Target) -> Target | None:
    """Return the local target as its server listens; None while none does."""
    holder = local.holder()
    if holder is None or not holder.port:
        return None
    url, site_url = (f"http://127.0.0.1:{port}" for port in (holder.port, holder.sitePort))
    return replace(target, url=url, site_url=site_url, admin_key=local.admin_key())


def attach(local: LocalDeployment, target: Target) -> Target:
    """Return the local target as the one who holds the lock serves it; waits until its server is up."""
    found = wait_for(lambda: served(local, target), START_DEADLINE_S)
    if found is None:
        raise errors.Failure(
            "Unreachable",
            "the local deployment is locked by another process, but its server does not respond",
            hint="stop the other `convexpy dev` and try again",
        )
    return found


def require_key(target: Target) -> None:
    """Raise if no admin key found for a remote target."""
    if not target.admin_key:
        raise errors.Failure(
            "TargetIncomplete",
            f"no admin key found for {target.url} ({target.url_source})",
            hint=f"convexpy login {target.url}, or CONVEXPY_URL and CONVEXPY_DEPLOY_KEY",
        )


def key_on_command_line(output: Output, flag: str) -> None:
    """Warn of a key that was given as the value of a flag, once for each user."""
    from convexpy.project import user_folder

    file = user_folder() / "notices" / "key-on-command-line"
    if not file.exists():
        output.warn(KEY_ON_COMMAND_LINE.format(flag=flag))
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def wait_for(look: Callable[[], T | None], deadline_s: float) -> T | None:
    """Return the first result of `look` that is not None, or None when the time is up."""
    until = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        found = look()
        if found is not None or time.monotonic() > until:
            return found
        pause.wait(_LOOK_EVERY_S)
