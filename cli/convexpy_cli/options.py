"""The global flags, declared once and given to every command.

A command is a function whose first parameter is its `Invocation`; `leaf_command` adds the global flags to
what it declares. Parsing and running are apart: the typer application only returns what is to be called, so
that every error of a command passes through one place.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from typer import Option, Typer

from convexpy_cli import errors
from convexpy_cli.output.settings import Settings, flag_from_environment

_PANEL = "Global flags"


def _flag(*names: str, help: str, metavar: str | None = None) -> Any:
    return Option(*names, help=help, rich_help_panel=_PANEL, show_default=False, metavar=metavar)


GLOBALS: dict[str, tuple[Any, Any]] = {
    "project": (
        Annotated[str | None, _flag("-C", "--project", metavar="DIR", help="act as if started there")],
        None,
    ),
    "deployment": (
        Annotated[
            str | None,
            _flag(
                "-d",
                "--deployment",
                "--deployment-name",
                metavar="REF",
                help="local, a configured name, or a URL",
            ),
        ],
        None,
    ),
    "prod": (Annotated[bool, _flag("--prod", help="the deployment marked production")], False),
    "url": (
        Annotated[str | None, _flag("--url", metavar="URL", help="explicit target, with --admin-key")],
        None,
    ),
    "admin_key": (
        Annotated[str | None, _flag("--admin-key", metavar="KEY", help="its key; `-` reads it from stdin")],
        None,
    ),
    "env_file": (
        Annotated[str | None, _flag("--env-file", metavar="FILE", help="file that chooses the target")],
        None,
    ),
    "format": (
        Annotated[str | None, _flag("--format", metavar="FORMAT", help="human, json, jsonl or plain")],
        None,
    ),
    "json": (Annotated[bool, _flag("--json", help="machine-readable result on stdout")], False),
    "quiet": (Annotated[bool, _flag("-q", "--quiet", help="errors only")], False),
    "verbose": (Annotated[bool, _flag("-v", "--verbose", help="more detail")], False),
    "debug": (Annotated[bool, _flag("--debug", help="requests and full tracebacks, secrets masked")], False),
    "yes": (Annotated[bool, _flag("-y", "--yes", help="answer yes to routine questions")], False),
    "allow": (
        Annotated[
            list[str] | None, _flag("--allow", metavar="KIND", help="consent to a named harm; repeatable")
        ],
        None,
    ),
    "no_input": (Annotated[bool, _flag("--no-input", help="never ask, even on a terminal")], False),
    "color": (Annotated[str, _flag("--color", metavar="WHEN", help="auto, always or never")], "auto"),
    "timeout": (
        Annotated[
            float | None, _flag("--timeout", metavar="SECONDS", help="limit for the whole command; exit 124")
        ],
        None,
    ),
    "no_wait": (Annotated[bool, _flag("--no-wait", help="do not wait for work in the background")], False),
}


@dataclass(frozen=True)
class Call:
    """A parsed command line: what to call, with what."""

    function: Callable[..., int | None]
    settings: Settings
    arguments: dict[str, Any]


class Leaf:
    """One command: its function, and the formats that its result comes in.

    `secret_values` says that its arguments may be secrets: they may begin with a dash, and no error shows them.
    """

    def __init__(
        self,
        function: Callable[..., int | None],
        formats: tuple[str, ...],
        examples: tuple[str, ...],
        *,
        secret_values: bool = False,
    ) -> None:
        self.function = function
        self.formats = formats
        self.examples = examples
        self.secret_values = secret_values

    def has_own(self, name: str) -> bool:
        """Return whether the command has a parameter of its own in place of the global flag `name`."""
        return name in inspect.signature(self.function).parameters

    def application(self, *, passthrough: bool = False) -> Typer:
        """Return a typer application of this one command; running it returns a `Call`."""
        app = Typer(add_completion=False, pretty_exceptions_show_locals=False, pretty_exceptions_enable=False)
        epilog = "Examples: " + "  ·  ".join(self.examples) if self.examples else None
        context: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
        app.command(help=inspect.getdoc(self.function), epilog=epilog, context_settings=context)(
            self._declaration()
        )
        return app

    def _declaration(self) -> Callable[..., Call]:
        hints = get_type_hints(self.function, include_extras=True)
        own = list(inspect.signature(self.function).parameters.values())[1:]
        parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
        taken = {parameter.name for parameter in own}
        for name, (annotation, default) in GLOBALS.items():
            if name not in taken:
                kind = inspect.Parameter.KEYWORD_ONLY
                parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))

        def parse(**values: Any) -> Call:
            flags = {name: values.pop(name) for name in list(values) if name in GLOBALS and name not in taken}
            return Call(self.function, self._settings(flags), values)

        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        parse.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
        parse.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword}
        return parse

    def _settings(self, flags: dict[str, Any]) -> Settings:
        flags.setdefault(
            "format", None
        )  # `import` and `export` have a --format of their own: that of the file
        chosen = (
            flags["format"]
            or ("json" if flags["json"] else None)
            or os.environ.get("CONVEXPY_FORMAT")
            or "human"
        )
        if chosen == "json" and "json" not in self.formats and "jsonl" in self.formats:
            chosen = "jsonl"
        if chosen not in self.formats:
            if flags["format"] is None and not flags["json"]:
                chosen = "human"
            else:
                raise errors.usage(
                    f"this command has no format {chosen!r}", f"formats: {', '.join(self.formats)}"
                )
        if flags["color"] not in ("auto", "always", "never"):
            raise errors.usage(f"--color {flags['color']!r} is not auto, always or never")
        allow = [*(flags["allow"] or []), os.environ.get("CONVEXPY_ALLOW", "")]
        return Settings(
            format=chosen,
            project=flags["project"],
            deployment="prod" if flags["prod"] else flags["deployment"],
            url=flags["url"],
            admin_key=flags["admin_key"],
            env_file=flags["env_file"],
            quiet=flags["quiet"],
            verbose=flags["verbose"] or flags["debug"] or flag_from_environment("CONVEX_VERBOSE"),
            debug=flags["debug"],
            yes=flags["yes"],
            allow=tuple(kind for text in allow for kind in text.split(",") if kind),
            no_input=flags["no_input"],
            color=flags["color"],
            timeout_s=flags["timeout"],
        )


def leaf_command(
    *,
    formats: tuple[str, ...] = ("human", "json"),
    examples: tuple[str, ...] = (),
    secret_values: bool = False,
) -> Callable[[Callable[..., int | None]], Leaf]:
    """Declare a command: a function of an `Invocation` and its own options. Returns an exit status or None.

    `formats` are the formats of the result, `examples` are shown at the end of `--help`; `secret_values`: see `Leaf`.
    """
    return lambda function: Leaf(function, formats, examples, secret_values=secret_values)
