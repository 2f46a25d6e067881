"""Running one command: import it, parse its arguments, call it, and turn every end into an exit status."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from convexpy_cli import errors, streams
from convexpy_cli.context import Invocation
from convexpy_cli.options import Call, Leaf
from convexpy_cli.output import choose_output, masking
from convexpy_cli.output.base import Output
from convexpy_cli.output.settings import Settings
from convexpy_cli.table import Command


def execute(full: str, command: Command, arguments: list[str]) -> int:
    """Run the command `full` with these arguments and return its exit status. Never raises."""
    leaf: Leaf = getattr(importlib.import_module(command.module), command.attribute)
    wants_json = "json" in leaf.formats or "jsonl" in leaf.formats
    asked_json = wants_json and _asks_for_json(leaf, arguments)
    try:
        call = _parse(full, leaf, arguments)
    except errors.Failure as error:
        choose_output(Settings(format="json" if asked_json else "human")).error(errors.shown(error))
        return error.exit_code
    if isinstance(call, int):
        return call
    return _run(call)


def _asks_for_json(leaf: Leaf, arguments: list[str]) -> bool:
    """Return whether these ask for JSON, as far as can be told before they are understood."""
    if "--json" in arguments or leaf.has_own("format"):
        return "--json" in arguments
    return any(
        word.startswith("--format=json") or (word == "--format" and "".join(after[:1]).startswith("json"))
        for word, *after in (arguments[place:] for place in range(len(arguments)))
    )


def _parse(full: str, leaf: Leaf, arguments: list[str]) -> Call | int:
    if leaf.secret_values:
        from convexpy_cli import secret_values

        arguments = secret_values.protected(full, arguments)
    try:
        result = leaf.application()(args=arguments, prog_name=f"convexpy {full}", standalone_mode=False)
    except (errors.Failure, BrokenPipeError):
        raise
    except SystemExit:
        # Parsing never ends the process but for one reason: the reader of the help has gone.
        return errors.OK
    except Exception as error:
        raise _usage_failure(error, full, arguments, secret=leaf.secret_values) from error
    if isinstance(result, Call):
        return result
    return result if isinstance(result, int) else errors.OK


def _usage_failure(error: Exception, full: str, arguments: list[str], *, secret: bool) -> errors.Failure:
    # typer carries its own copy of click, so its errors are known by what they can do, not by their class.
    describe: Callable[[], str] | None = getattr(error, "format_message", None)
    if describe is None:
        raise error
    from convexpy_cli import official

    for word in arguments:
        advice = official.advice(full, word.partition("=")[0])
        if advice is not None and word.partition("=")[0] in describe():
            return errors.usage(f"{word} has no meaning here", advice)
    message = describe().strip()
    if secret:
        from convexpy_cli import secret_values

        message = secret_values.without_values(message)
    message = message.replace("\n", " ")
    return errors.usage(message[:1].lower() + message[1:], f"convexpy {full} --help")


def _run(call: Call) -> int:
    output = choose_output(call.settings)
    invocation = Invocation(call.settings, output)
    try:
        if call.settings.project:
            _enter(call.settings.project)
        with _TimeLimit(call.settings.timeout_s):
            return call.function(invocation, **call.arguments) or errors.OK
    except BrokenPipeError as error:
        return errors.OK if streams.reader_has_gone() else _report(error, output, call.settings)
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except errors.TimeLimit:
        output.error(errors.shown(_timed_out(call.settings)))
        return errors.TIMED_OUT
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else errors.FAILED
    except Exception as error:  # noqa: BLE001 - the edge of the process
        return _report(error, output, call.settings)
    finally:
        invocation.close()


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise errors.Failure(
            "ProjectNotFound", f"--project {folder}: {error.strerror}", errors.CONFIGURATION
        ) from error


def _timed_out(settings: Settings) -> errors.Failure:
    return errors.Failure(
        "TimedOut", f"not done within {settings.timeout_s:g} s", errors.TIMED_OUT, hint="--timeout"
    )


def _report(error: Exception, output: Output, settings: Settings) -> int:
    if settings.debug:
        import traceback

        output.note(masking.mask(traceback.format_exc()))
    if hasattr(error, "to_json") and hasattr(error, "code"):
        fields = errors.shown(error)
        output.error(fields)
        return int(fields["exitCode"])
    output.error(errors.shown(errors.report_bug(error)))
    return errors.BUG


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
