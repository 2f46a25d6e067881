"""The work of `convexpy init`: the questions, the plan, and carrying it out."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError
from convexpy.project import (
    PlannedFile,
    Scaffold,
    SignIn,
    as_new,
    has_typescript_functions,
    is_application,
    list_scaffolds,
    open_project,
    plan_files,
    render_scaffold,
    write_planned,
)
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.docs.installed import requirement
from convexpy_cli.docs.shipped import scaffolds_folder
from convexpy_cli.init.steps import (
    PackageManagers,
    dependencies,
    install_commands,
    install_packages,
    next_steps,
)

_SIGN_IN = {"none": "none", "clerk": "Clerk", "oidc": "another OpenID Connect issuer"}
DEFAULT_TEMPLATE = "minimal"
REACT_TEMPLATE = "react"
TYPESCRIPT_ALTERNATIVE = "backend"


@dataclass(frozen=True)
class Answers:
    """Everything that `init` needs to know."""

    root: Path
    name: str
    scaffold: Scaffold
    sign_in: SignIn
    functions: str
    package_managers: PackageManagers
    install: bool
    git: bool
    agents: bool
    docker: bool


def list_templates(ctx: Context) -> None:
    """Print the scaffolds."""
    found = list_scaffolds(scaffolds_folder()).values()
    rows = [[each.name, each.description] for each in found]
    ctx.output.table(["template", "contents"], rows, [{"name": a, "description": b} for a, b in rows])


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the command line says; None is not said."""

    folder: str | None
    template: str | None
    name: str | None
    functions: str | None
    auth: str | None
    auth_issuer: str | None
    auth_application: str | None
    package_manager: str | None
    install: bool | None
    git: bool | None
    agents: bool | None
    docker: bool


def ask(ctx: Context, flags: Flags) -> Answers:
    """Return the answers: from flags, else from the person at the terminal, else the defaults.

    Raises:
        Failure: an unknown template, sign-in or package manager (exit 2); no folder, or no issuer of tokens, and
            nobody to ask (exit 4).
    """
    known = list_scaffolds(scaffolds_folder())
    template, name, install, git, agents = flags.template, flags.name, flags.install, flags.git, flags.agents
    if template is not None and template not in known:
        raise errors.usage(f'no template "{template}"', errors.suggestion(template, known, "templates"))
    managers = PackageManagers.chosen(flags.package_manager)
    asking = ctx.prompts.allowed() and not ctx.settings.yes
    root = _folder(ctx, flags.folder)
    existing = open_project(root).config.name if root.is_dir() else None
    if name is None:
        name = existing or root.name
        if asking and existing is None:
            name = ctx.prompts.text("Project name", default=name, answered_by="--name NAME")
    if template is None:
        packages = dependencies(root / "package.json") or ()
        template = REACT_TEMPLATE if "react" in packages else DEFAULT_TEMPLATE
        if asking:
            choices = [(each.name, f"{each.name}  ({each.description})") for each in known.values()]
            template = ctx.prompts.choose(
                "Template", choices, default=template, answered_by="--template NAME"
            )
        elif not ctx.settings.quiet:
            ctx.output.note(f"template: {template}")
    sign_in = _sign_in(ctx, flags, asking=asking)
    functions = flags.functions or _functions_folder(ctx, root, asking=asking)
    in_repository = any((folder / ".git").exists() for folder in [root, *root.parents])
    if install is None:
        install = asking and ctx.prompts.confirm("Install dependencies now?", default=True)
    if git is None:
        git = not in_repository and shutil.which("git") is not None
        if asking and git:
            git = ctx.prompts.confirm("Create a git repository with a first commit?", default=True)
    if agents is None:
        agents = ctx.prompts.confirm("Write AGENTS.md for coding agents?", default=True) if asking else True
    git = git and not in_repository
    return Answers(
        root, name, known[template], sign_in, functions, managers, install, git, agents, flags.docker
    )


def create(ctx: Context, answers: Answers, *, dry_run: bool) -> None:
    """Carry out the plan, or only show it.

    Raises:
        Failure: installing failed (exit 1); the project stays.
        ProjectError: the folder cannot be written (exit 3).
    """
    extras = ["AGENTS.md"] if answers.agents else []
    extras += ["Dockerfile", ".dockerignore"] if answers.docker else []
    rendered = render_scaffold(
        answers.scaffold,
        name=answers.name,
        functions=answers.functions,
        extras=extras,
        sign_in=answers.sign_in,
        convexpy=requirement(),
    )
    adopted = is_application(answers.root)
    if adopted and answers.docker:
        ctx.output.note("no Dockerfile is written beside an application: see `convexpy docs containers`")
    files = plan_files(answers.root, rendered, answers.functions)
    commands = install_commands(answers.package_managers, answers.scaffold, rendered, answers.root)
    asking = ctx.prompts.allowed() and not ctx.settings.yes and not dry_run
    _show_plan(ctx, answers, files, commands if answers.install else [])
    if asking:
        files = [_decide(ctx, answers.root, each) for each in files]
        ctx.prompts.agree("Create?", default=True)
    if not dry_run:
        write_planned(answers.root, files)
        _make_repository(ctx, answers)
    steps = next_steps(
        answers.root,
        answers.scaffold,
        answers.sign_in,
        commands,
        installed=answers.install,
        adopted=adopted,
    )
    ctx.output.result(_summary(answers, files, steps, dry_run))
    if not dry_run and answers.install:
        install_packages(ctx, answers.root, commands)
    changed = any(each.action in ("create", "update", "new") for each in files)
    if dry_run:
        ctx.output.step("ok", f"{answers.name}: nothing was written (--dry-run)")
        return
    done = "nothing to change" if not changed else "added to this application" if adopted else "created"
    ctx.output.step("ok", f"{answers.name}: {done}")
    ctx.output.note("next:")
    for place, step in enumerate(steps, 1):
        ctx.output.note(f"  {step}")
        if " dev" in step and place < len(steps):
            ctx.output.note("then, in a second terminal:")
            if steps[0].startswith("cd "):
                ctx.output.note(f"  {steps[0]}")


def _summary(
    answers: Answers, files: Sequence[PlannedFile], steps: Sequence[str], dry_run: bool
) -> dict[str, Any]:
    return {
        "project": str(answers.root),
        "template": answers.scaffold.name,
        "auth": answers.sign_in.kind,
        "functions": answers.functions,
        "files": [{"path": each.written_as(), "action": each.action} for each in files],
        "next": list(steps),
        "dryRun": dry_run,
    }


def _sign_in(ctx: Context, flags: Flags, *, asking: bool) -> SignIn:
    """Return how people sign in: from flags, else from the person at the terminal, else not at all."""
    kind, issuer, application = flags.auth, flags.auth_issuer, flags.auth_application
    if kind is None:
        kind = "oidc" if issuer or application else "none"
        if asking and kind == "none":
            choices = list(_SIGN_IN.items())
            kind = ctx.prompts.choose("Sign-in", choices, default="none", answered_by="--auth KIND")
    if kind not in _SIGN_IN:
        raise errors.usage(f"--auth {kind!r} is not valid", ", ".join(_SIGN_IN))
    if kind != "oidc":
        if issuer or application:
            raise errors.usage(f"--auth {kind} cannot be combined with --auth-issuer or --auth-application")
        return SignIn(kind)
    issuer = issuer or ctx.prompts.text("Address of the issuer", answered_by="--auth-issuer URL")
    application = application or ctx.prompts.text(
        "Application id (client id)", answered_by="--auth-application ID"
    )
    sign_in = SignIn(kind, issuer.strip(), application.strip())
    try:
        sign_in.check()
    except ProjectError as error:
        raise errors.usage(str(error)) from None
    return sign_in


def _folder(ctx: Context, folder: str | None) -> Path:
    here = Path.cwd()
    if folder is None:
        adoptable = not any(here.iterdir()) or (here / "convexpy.toml").exists()
        if adoptable and not ctx.prompts.allowed():
            folder = "."
        else:
            default = "." if adoptable else None
            folder = ctx.prompts.text("Folder", default=default, answered_by="convexpy init DIR")
    root = (here / Path(folder).expanduser()).resolve()
    if root.exists() and not root.is_dir():
        raise errors.usage(f"{root} is a file")
    return root


def _functions_folder(ctx: Context, root: Path, *, asking: bool) -> str:
    if root.is_dir():
        project = open_project(root)
        if project.config.file is not None:
            return project.config.functions
    folder = root / "convex"
    if not folder.is_dir() or not has_typescript_functions(folder):
        return "convex"
    ctx.output.note(
        "convex/ holds TypeScript functions. convexpy runs Python functions, which need a separate folder."
    )
    if not asking:
        ctx.output.note(f"functions folder: {TYPESCRIPT_ALTERNATIVE}")
        return TYPESCRIPT_ALTERNATIVE
    return ctx.prompts.text("Functions folder", default=TYPESCRIPT_ALTERNATIVE, answered_by="--functions DIR")


def _show_plan(
    ctx: Context, answers: Answers, files: Sequence[PlannedFile], commands: Sequence[Sequence[str]]
) -> None:
    ctx.output.note(f"{answers.root}")
    signs = {"create": "+", "update": "~", "keep": "=", "new": "+"}
    for each in files:
        if each.action != "same":
            kept = "  (differs; yours is kept)" if each.action == "keep" else ""
            ctx.output.note(f"  {signs[each.action]} {each.path}{kept}")
    for command in commands:
        ctx.output.note(f"  $ {' '.join(command)}")


def _decide(ctx: Context, root: Path, planned: PlannedFile) -> PlannedFile:
    """Ask what to do about a file that is there and differs."""
    while planned.action == "keep":
        choices = [
            ("keep", "keep yours"),
            ("diff", "show the difference"),
            ("new", f"write {planned.path}.new beside it"),
        ]
        chosen = ctx.prompts.choose(
            f"{planned.path} differs", choices, default="keep", answered_by="--yes keeps it"
        )
        if chosen == "new":
            return as_new(planned)
        if chosen == "keep":
            break
        old = (root / planned.path).read_text(encoding="utf-8", errors="replace").splitlines()
        new = planned.content.decode("utf-8", errors="replace").splitlines()
        for line in difflib.unified_diff(old, new, planned.path, f"{planned.path}.new", lineterm=""):
            ctx.output.note(line)
    return planned


def _make_repository(ctx: Context, answers: Answers) -> None:
    if not answers.git:
        return
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", f"{answers.name}: begin"],
    ):
        ended = subprocess.run(
            ["git", *command],
            cwd=answers.root,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if ended.returncode:
            reason = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
            ctx.output.note(f"git {command[0]}: {reason[0] if reason else 'failed'}")
            return
