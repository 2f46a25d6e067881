"""The application: which commands there are, where they are, and how the process ends."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import Annotated, Any

from typer import Typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.main import get_command

from convexpy_cli import errors
from convexpy_cli.command import COMPLETE_VARIABLE, DEFAULT, Group, option
from convexpy_cli.context import Context
from convexpy_cli.output import choose_output, streams
from convexpy_cli.output.settings import Settings

# httpx imports its own command line where rich is installed, and with it rich and pygments: half the time that it takes to
# load. This entry makes it go without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

COMMANDS = {
    "Start": {
        "init": ("init.commands:app", "Create a project or adopt a folder."),
        "dev": ("dev.commands:app", "Run locally, push on every save, show logs."),
        "deploy": ("deploy.commands:app", "Deploy to a shared deployment."),
        "serve": ("serve.commands:app", "Run a production server."),
    },
    "Use": {
        "run": ("functions.commands:run_app", "Call a function."),
        "shell": ("shell.commands:app", "Open a Python prompt on the deployment."),
        "logs": ("logs.commands:app", "Show and follow logs."),
        "data": ("data.commands:app", "Show and change documents."),
        "env": ("env.commands:app", "Manage environment variables."),
        "storage": ("storage.commands:app", "Manage stored files."),
        "import": ("transfers.commands:import_app", "Import a snapshot, JSON or CSV."),
        "export": ("transfers.commands:export_app", "Export all tables."),
        "backup": ("transfers.commands:backup_app", "Create, fetch and restore backups."),
    },
    "Inspect": {
        "status": ("deployments.commands:status_app", "Show the state of the deployment."),
        "functions": ("functions.commands:app", "List and describe functions."),
        "schema": ("schema.commands:app", "Show, compare and check schemas."),
        "schedule": ("jobs.commands:schedule_app", "Inspect and cancel scheduled functions."),
        "crons": ("jobs.commands:crons_app", "Inspect and run cron jobs."),
        "dashboard": ("dashboard.commands:app", "Open the dashboard in a browser."),
    },
    "Manage": {
        "deployment": ("deployments.commands:app", "Manage deployments: add, select, history, reset."),
        "keys": ("keys.commands:app", "Manage admin keys."),
        "database": ("serve.database:app", "Copy data to a database server, and back."),
        "login": ("deployments.commands:login_app", "Store the key of a server."),
        "logout": ("deployments.commands:logout_app", "Remove the stored key of a server."),
    },
    "Tools": {
        "codegen": ("dev.tools:codegen_app", "Write _generated/ from local code."),
        "typecheck": ("dev.tools:typecheck_app", "Run the project's type checker."),
        "doctor": ("doctor.commands:app", "Find and fix problems."),
        "docs": ("docs.commands:docs_app", "Read the documentation offline."),
        "mcp": ("mcp.commands:app", "Serve coding agents (Model Context Protocol)."),
        "completion": ("docs.commands:completion_app", "Set up shell completion."),
        "update": ("docs.commands:update_app", "Show how to update this installation."),
        "version": ("docs.commands:version_app", "Show the version."),
        "help": ("docs.commands:help_app", "Explain a command or the global flags."),
    },
}
"""The commands of each group, with their application and one line of help."""

UNLISTED = ("help", "version")
"""Not in the list of commands: the last line of the help is about the first, and `--version` is the second."""

NAMES = tuple(name for group in COMMANDS.values() for name in group)
"""Every command, in the order of the help."""

ALIASES = {
    "backup rm": "backup delete",
    "dash": "dashboard",
    "deployment rm": "deployment remove",
    "deployment token create": "keys create",
    "deployment token delete": "keys revoke",
    "deployments": "deployment list",
    "env rm": "env remove",
    "env unset": "env remove",
    "function-spec": "functions spec",
    "mcp start": "mcp",
    "storage rm": "storage delete",
}
"""Other names of commands, most of them those of the official command line."""

ELSEWHERE = {
    "insights": "convexpy functions list --stats",
    "network-test": "convexpy doctor --network",
    "project": "there are no hosted projects: convexpy init creates one here",
    "reinit": "convexpy init",
    "ai-files": "convexpy init . --agents",
    "integration": "sign-in is configured in convex/auth_config.py: convexpy docs auth",
    "auth": "sign-in is configured in convex/auth_config.py: convexpy docs auth",
    "start": "convexpy dev",
    "push": "convexpy deploy",
}
"""Commands of other tools, and what to use instead."""


class Root(Group):
    """The top level: imports the module of a command when that command is used."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.commands = dict.fromkeys(NAMES, self)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, importing its module."""
        found = next((group[cmd_name] for group in COMMANDS.values() if cmd_name in group), None)
        if found is None:
            return None
        module, _, name = found[0].partition(":")
        return get_command(getattr(import_module(f"convexpy_cli.{module}"), name))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return name, command and remaining arguments, with other names of commands replaced."""
        for count in (3, 2, 1):
            alias = " ".join(args[:count])
            if alias in ALIASES and len(args) >= count:
                args = [*ALIASES[alias].split(), *args[count:]]
        if args[0] in ELSEWHERE:
            raise errors.usage(f"no such command: {args[0]}", ELSEWHERE[args[0]])
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by group."""
        from convexpy_cli.docs.about import situation

        formatter.write("Usage: convexpy [FLAGS] COMMAND ...\n\n" + situation() + "\n")
        for title, group in COMMANDS.items():
            formatter.write(f"{title}:\n")
            shown = [(name, text) for name, (_, text) in group.items() if name not in UNLISTED]
            formatter.write("".join(f"  {name:<11} {text}\n" for name, text in shown))
        formatter.write("Help: convexpy help COMMAND. Global flags: convexpy help flags.\n")

    def help_of(self, ctx: Any, words: list[str]) -> str:
        """Return the help of a command with all its options and examples, or of the application."""
        command: Any = self
        for word in words:
            name, command, _ = command.resolve_command(ctx, [word])
            ctx = command.context_class(command, info_name=name, parent=ctx, **command.context_settings)
            ctx.full_help = True
        if DEFAULT in getattr(command, "commands", ()):
            command = command.commands[DEFAULT]
            ctx = command.context_class(command, parent=ctx, **command.context_settings)
            ctx.full_help = True
        return str(command.get_help(ctx))


app = Typer(
    cls=Root,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    ctx: Context,
    version: Annotated[bool, option("-V --version", "Show the version.")] = False,
) -> int | None:
    """Build a reactive backend in Python."""
    if not version:
        if ctx.invoked_subcommand is None:
            ctx.output.text(ctx.get_help())
        return None
    from convexpy_cli.docs.commands import version as show_version

    return show_version(ctx)


def main() -> None:
    """Entry point of the `convexpy` script."""
    try:
        if None in (sys.stdin, sys.stdout, sys.stderr):
            streams.open_missing()
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        if not streams.reader_has_gone():
            raise
        status = errors.OK
    except KeyboardInterrupt:
        status = errors.INTERRUPTED
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    if COMPLETE_VARIABLE in os.environ:
        completion_init()
    try:
        status = get_command(app).main(arguments, prog_name="convexpy", standalone_mode=False)
        return status if isinstance(status, int) else errors.OK
    except errors.Failure as error:
        failure = error
    except SystemExit as error:
        # Completion ends the process; so does help whose reader has gone.
        return error.code if isinstance(error.code, int) and error.code != 1 else errors.OK
    except Exception as error:
        # typer may carry its own copy of click, so its errors are recognized by what they can do.
        if not hasattr(error, "format_message"):
            raise
        failure = _usage(error)
    as_json = "--json" in arguments or re.search(r"--format[ =]json", " ".join(arguments)) is not None
    fields = errors.shown(failure)
    if not as_json and failure.hint:
        from convexpy_cli.docs.installed import runnable_here

        fields["hint"] = runnable_here(failure.hint, NAMES)
    choose_output(Settings(format="json" if as_json else "human")).error(fields)
    return failure.exit_code


def _usage(error: Any) -> errors.Failure:
    """Return an error of the parser as one of ours; a suggestion becomes the hint."""
    message, _, near = (
        error.format_message()
        .replace("\n", " ")
        .replace("Value error, ", "")
        .strip()
        .partition(" Did you mean ")
    )
    path = error.ctx.command_path if error.ctx is not None else "convexpy"
    hint = f"{path} --help"
    if near:
        word = re.sub(r"['?]", "", near).partition(",")[0]
        hint = f"did you mean {word}?" if word.startswith("-") else f"did you mean `{path} {word}`?"
    message, _, options = message.partition(" (Possible options: ")
    if options:
        near = errors.nearest(message.rpartition(" ")[2], options.rstrip(")").split(", ")) or ""
        hint = f"did you mean {near}?" if near else hint
    message = message.rstrip(".")
    return errors.usage(message[:1].lower() + message[1:], hint)


if __name__ == "__main__":
    main()
