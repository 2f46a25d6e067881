"""The typer classes behind every command: global flags on each level, help that fits a screen, one way to end."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option, Typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from convexpy.errors import Error
from convexpy_cli import completion, errors
from convexpy_cli.context import FLAG_PREFIX, Context
from convexpy_cli.output import masking, secret_values, streams

DEFAULT = "*"
"""The name of a family's command that runs when no other is named: `convexpy data TABLE`."""
MORE = "More options"
"""Help panel of options that are rarely needed: `--help` only names them, `convexpy help COMMAND` explains them."""
SCREEN_LINES = 24
COMPLETE_VARIABLE = "_CONVEXPY_COMPLETE"
HELP_FLAGS = "Global flags (--json, -d, --prod, ...): convexpy help flags"


def option(names: str, help: str = "", *, more: bool = False, complete: Any = None, **settings: Any) -> Any:
    """Return the option `-f --follow` or `--limit N`; with `more`, one that is rarely needed."""
    words = names.split()
    return Option(
        *(word for word in words if word.startswith("-")),
        help=help,
        metavar=next((word for word in words if not word.startswith("-")), None),
        rich_help_panel=MORE if more else None,
        autocompletion=complete,
        **settings,
    )


def argument(help: str, metavar: str | None = None, *, complete: Any = None) -> Any:
    """Return an argument, which is called as its parameter unless `metavar` is given."""
    return Argument(help=help, metavar=metavar, autocompletion=complete)


def _flags(
    flag_project: Annotated[
        str | None, option("-C --project DIR", "Run as if started in this folder.")
    ] = None,
    flag_deployment: Annotated[
        str | None,
        option(
            "-d --deployment --deployment-name REF",
            "Use this deployment: local, a configured name, or a URL.",
            complete=completion.deployments,
        ),
    ] = None,
    flag_prod: Annotated[
        bool | None, option("--prod", "Use the deployment that is marked as production.")
    ] = None,
    flag_url: Annotated[
        str | None, option("--url URL", "Use the deployment at this URL, with --admin-key.")
    ] = None,
    flag_admin_key: Annotated[
        str | None, option("--admin-key KEY", "Key for --url; - reads it from stdin.")
    ] = None,
    flag_env_file: Annotated[
        str | None, option("--env-file FILE", "Read the deployment's URL and key from here.")
    ] = None,
    flag_format: Annotated[
        str | None, option("--format FORMAT", "Output format: human, json, jsonl or plain.")
    ] = None,
    flag_json: Annotated[bool | None, option("--json", "Same as --format json.")] = None,
    flag_quiet: Annotated[bool | None, option("-q --quiet", "Print errors only.")] = None,
    flag_verbose: Annotated[bool | None, option("-v --verbose", "Print more detail.")] = None,
    flag_debug: Annotated[
        bool | None, option("--debug", "Print requests and tracebacks, with secrets masked.")
    ] = None,
    flag_yes: Annotated[bool | None, option("-y --yes", "Answer yes to routine questions.")] = None,
    flag_allow: Annotated[
        list[str] | None, option("--allow KIND", "Consent to a destructive change; repeatable.")
    ] = None,
    flag_no_input: Annotated[bool | None, option("--no-input", "Never ask a question.")] = None,
    flag_color: Annotated[str | None, option("--color WHEN", "Use colors: auto, always or never.")] = None,
    flag_no_color: Annotated[bool | None, option("--no-color", "Same as --color never.")] = None,
    flag_timeout: Annotated[
        float | None, option("--timeout SECONDS", "Stop after this time; exit code 124.")
    ] = None,
) -> None:
    """Declare the global flags. They are accepted before and after the name of a command."""


if TYPE_CHECKING:
    _Base = TyperCommand
else:
    _Base = object


@cache
def global_options() -> list[Any]:
    """Return the global flags as parameters of the parser."""
    app = Typer(add_completion=False)
    app.command()(_flags)
    return get_command(app).params


def flags_help() -> str:
    """Return the help of the global flags."""
    formatter = Context(TyperCommand("convexpy")).make_formatter()
    formatter.write("Global flags are accepted before and after the command:\n")
    with formatter.section("Flags"):
        formatter.write_dl([_row(each) for each in global_options()], col_max=32)
    return str(formatter.getvalue().rstrip("\n"))


class _WithFlags(_Base):
    """Accepts the global flags beside its own parameters, and keeps them in the context."""

    context_class = Context

    def __init__(self, *args: Any, params: list[Any] | None = None, **settings: Any) -> None:
        self.own = params or []
        taken = {name for each in self.own for name in each.opts}
        shared = [each for each in global_options() if taken.isdisjoint(each.opts)]
        super().__init__(*args, params=[*self.own, *shared], **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and move the global flags from the parameters to the context."""
        rest = super().parse_args(ctx, args)
        for name in [each for each in ctx.params if each.startswith(FLAG_PREFIX)]:
            ctx.flags[name.removeprefix(FLAG_PREFIX)] = ctx.params.pop(name)
        return rest

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Say where the global flags are explained."""
        formatter.write_paragraph()
        formatter.write(HELP_FLAGS + "\n")


class Command(_WithFlags, TyperCommand):
    """One command: prints its help on one screen, and turns every end into an exit status."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; arguments that are secrets may begin with a dash, and no error repeats them."""
        if not ctx.secret_values:
            return super().parse_args(ctx, args)
        try:
            return super().parse_args(ctx, secret_values.protected(self.params, args))
        except Exception as error:
            describe: Callable[[], str] | None = getattr(error, "format_message", None)
            if describe is None:
                raise
            message = secret_values.without_values(describe())
            raise errors.usage(message, f"{ctx.command_path} --help") from None

    def invoke(self, ctx: Any) -> int:
        """Run the command and return its exit status."""
        settings = ctx.settings
        _ = ctx.output  # sets the encoding of the standard streams, also for what is written to them directly
        try:
            if settings.project:
                _enter(settings.project)
            with _TimeLimit(settings.timeout_s):
                return super().invoke(ctx) or errors.OK
        except BrokenPipeError as error:
            return errors.OK if streams.reader_has_gone() else self._report(ctx, error)
        except KeyboardInterrupt:
            return errors.INTERRUPTED
        except errors.TimeLimit:
            message = f"not finished after {settings.timeout_s:g} s"
            return self._report(ctx, errors.Failure("TimedOut", message, hint="--timeout"))
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else errors.FAILED
        except Exception as error:  # noqa: BLE001 - the edge of the process
            return self._report(ctx, error)

    def _report(self, ctx: Any, error: Exception) -> int:
        if ctx.settings.debug:
            import traceback

            ctx.output.note(masking.mask("".join(traceback.format_exception(error))))
        known = error if isinstance(error, Error) else errors.report_bug(error, ctx.command_line())
        fields = ctx.shown(known)
        ctx.output.error(fields)
        return int(fields["exitCode"])

    # Help

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, as one paragraph."""
        formatter.write_paragraph()
        formatter.write_text(" ".join((self.help or "").split()))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return `[OPTIONS] NAME [VALUE]`."""
        arguments = [each for each in self.own if each.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_placeholder, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the command's own arguments and options, its subcommands, and examples as far as they fit."""
        shown = [each for each in self.own if not each.hidden]
        main = [each for each in shown if ctx.full_help or each.rich_help_panel != MORE]
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            rows = [_row(each) for each in main if each.param_type_name == kind]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=32)
        rest = [_long_name(each) for each in shown if each not in main]
        if rest:
            formatter.write_paragraph()
            text = f"{MORE} ({ctx.command_path.replace(' ', ' help ', 1)}): {', '.join(rest)}"
            formatter.write("\n".join(textwrap.wrap(text, 78, break_on_hyphens=False)) + "\n")
        if ctx.parent is not None and ctx.info_name is None:
            ctx.parent.command.format_commands(ctx.parent, formatter)
        room = SCREEN_LINES - 3 - formatter.getvalue().count("\n")
        examples = ctx.examples if ctx.full_help else ctx.examples[: max(0, room - 1)]
        if examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {each}\n" for each in examples))


def _placeholder(parameter: Any) -> str:
    name = _value_name(parameter) + ("..." if parameter.nargs != 1 else "")
    return name if parameter.required else f"[{name}]"


def _value_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.strip("_").replace("_", "-").upper())


def _long_name(option: Any) -> str:
    return next((each for each in option.opts if each.startswith("--")), str(option.opts[0]))


def _row(parameter: Any) -> tuple[str, str]:
    """Return what the help shows of a parameter: `-f, --follow` or `--limit N`, and the text."""
    text = parameter.help or ""
    if parameter.param_type_name == "argument":
        return _value_name(parameter), text
    long = _long_name(parameter)
    if parameter.secondary_opts:
        long = long.replace("--", "--[no-]", 1)
    short = [each for each in parameter.opts if not each.startswith("--")][:1]
    if not parameter.is_flag:
        long += f" {_value_name(parameter)}"
        if parameter.default not in (None, ""):
            text = f"{text.removesuffix('.')} [default: {parameter.default}]."
    return ", ".join(dict.fromkeys([*short, long])), text


class Group(_WithFlags, TyperGroup):
    """A family of commands; one of them may be the default, which `convexpy FAMILY` runs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; put the default command in front of its arguments."""
        if DEFAULT in self.commands and (not args or args[0] not in self.commands):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return name, command and remaining arguments; the default command has no name of its own."""
        name, command, rest = super().resolve_command(ctx, args)
        return None if name == DEFAULT else name, command, rest

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of their declaration."""
        return [name for name in self.commands if name != DEFAULT]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return `COMMAND ...`."""
        return ["COMMAND ..."]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands."""
        self.format_commands(ctx, formatter)


def family(help: str) -> Typer:
    """Return an application whose commands are `convexpy FAMILY NAME`."""
    return Typer(cls=Group, help=help, add_completion=False, rich_markup_mode=None)


def single() -> Typer:
    """Return an application for one command, `convexpy NAME`."""
    return Typer(add_completion=False, rich_markup_mode=None)


def command(
    app: Typer,
    name: str | None = None,
    *,
    formats: Sequence[str] = ("human", "json"),
    examples: Sequence[str] = (),
    secret_values: bool = False,
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Declare a command: a function of a `Context` and its own parameters that returns an exit status or None.

    `formats` are the formats of its result. With `secret_values`, arguments may begin with a dash and
    are not repeated in errors.
    """
    settings = {"formats": tuple(formats), "examples": tuple(examples), "secret_values": secret_values}
    return app.command(name, cls=Command, context_settings=settings)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise errors.Failure("ProjectNotFound", f"--project {folder}: {error.strerror}") from error


class _TimeLimit:
    """Raises `TimeLimit` in the main thread after so many seconds, where the system can."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds if hasattr(signal, "setitimer") else None
        self._old: Any = None

    def __enter__(self) -> None:
        if self._seconds is not None:
            self._old = signal.signal(signal.SIGALRM, self._passed)
            signal.setitimer(signal.ITIMER_REAL, max(self._seconds, 0.001))

    def __exit__(self, *_: object) -> None:
        if self._seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._old)

    @staticmethod
    def _passed(_number: int, _frame: FrameType | None) -> None:
        raise errors.TimeLimit
