"""The work of `convexpy shell`: reading inputs, showing what they give, asking before they write."""

from __future__ import annotations

import codeop
import contextlib
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from convexpy.client import AdminClient, Evaluated, Evaluator, FunctionFailed
from convexpy.errors import Error
from convexpy.printable import counted
from convexpy.project import Target
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output import files
from convexpy_cli.output.json import dumps

CHANGES_SHOWN = 20
BANNER = "ctx and db as in functions; exit with Ctrl-D"


def start(ctx: Context, target: Target, client: AdminClient, code: str | None, *, writes: bool) -> None:
    """Evaluate one input and end, or go on with what a person types."""
    evaluator = Evaluator(client, writes=writes)
    terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if code is None and terminal and ctx.prompts.allowed():
        mode = "every write is shown and asked about" if writes else "read-only"
        ctx.output.note(f"{target.name} · {target.url} · {mode} · {BANNER}")
        _converse(ctx, evaluator, target.name)
        return
    source = code if code is not None else _piped()
    evaluate(ctx, evaluator, source)


def _piped() -> str:
    source = files.piped()
    if not source.strip():
        raise errors.Failure(
            "InputRequired",
            "stdin is empty, and there is no terminal for a prompt",
            hint="convexpy shell -c 'db.query(\"messages\").take(5)'",
        )
    return source


def evaluate(ctx: Context, evaluator: Evaluator, source: str) -> None:
    """Run an input and show it; what it writes is agreed to first.

    Raises:
        FunctionFailed: it raised.
        Failure: nobody agreed to what it writes (exit 9).
    """
    try:
        found = evaluator.evaluate(source)
        _show_logs(ctx, found.log_lines)
        if found.changes:
            _agree(ctx, found.changes)
            found = evaluator.evaluate(source, commit=found.changes)
            ctx.output.step("ok", f"{len(found.changes)} written")
    except FunctionFailed as error:
        _show_logs(ctx, error.log_lines)
        if "DatabaseReader" in error.message:
            error.hint = "inputs only read; convexpy shell --write lets them write"
        raise
    _show(ctx, found)


def _agree(ctx: Context, changes: Sequence[dict[str, Any]]) -> None:
    for change in changes[:CHANGES_SHOWN]:
        document = "" if change["document"] is None else "  " + dumps(change["document"])
        ctx.output.note(f"  {change['kind']:<7} {change['table']} {change['id']}{document}")
    if len(changes) > CHANGES_SHOWN:
        ctx.output.note(f"  … and {len(changes) - CHANGES_SHOWN} more")
    documents = counted(len(changes), "document")
    ctx.require_consent(f"Write {documents}?", f"{documents} not written")


def _show(ctx: Context, found: Evaluated) -> None:
    value = {"value": found.value, "text": found.text, "changes": found.changes}
    ctx.output.result(value, found.text or None)
    if found.lost:
        ctx.output.note(f"not kept because they are not Convex values: {', '.join(found.lost)}")


def _show_logs(ctx: Context, lines: Sequence[str]) -> None:
    for line in lines:
        level, _, text = line.partition("] ")
        ctx.output.log_line(text, level.removeprefix("["))


def _converse(ctx: Context, evaluator: Evaluator, name: str) -> None:
    _edit_lines()
    going_on = True
    while going_on:
        try:
            going_on = _turn(ctx, evaluator, name)
        except KeyboardInterrupt:
            # Drops the line, or stops waiting for an answer: the deployment ends the call at its limit.
            sys.stdout.write("\n")


def _turn(ctx: Context, evaluator: Evaluator, name: str) -> bool:
    """Read an input and evaluate it; False at the end."""
    try:
        source = _read_input(name)
    except EOFError:
        sys.stdout.write("\n")
        return False
    if source.strip() in ("exit", "exit()", "quit", "quit()"):
        return False
    if source.strip():
        try:
            evaluate(ctx, evaluator, source)
        except Error as error:
            ctx.output.error(ctx.shown(error))
    return True


def _edit_lines() -> None:
    """Have arrows and history where the platform has them: importing the module changes `input`."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")


def _read_input(name: str) -> str:
    """Read lines until they are a complete statement; a mistake is complete, too, and the deployment names it."""
    lines = [input(f"{name}>>> ")]
    while True:
        text = "\n".join(lines)
        try:
            if codeop.compile_command(text, "<shell>", "exec") is not None:
                return text
        except (SyntaxError, ValueError, OverflowError):
            return text
        lines.append(input("... ".rjust(len(name) + 4)))
