"""The work of `convexpy run`: one call, or a query that is watched."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from convexpy.client import AdminClient, PushResult
from convexpy.printable import json_printable
from convexpy.project import Target
from convexpy.protocol.app_description import FunctionDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.functions import arguments
from convexpy_cli.logs import entries
from convexpy_cli.output import files
from convexpy_cli.output.json import dumps


def identity_of(text: str | None) -> dict[str, Any] | None:
    """Return the identity to act as: a JSON object, or `@file` with one.

    Raises:
        Failure: it is not a JSON object (exit 2).
    """
    if text is None:
        return None
    identity, _ = files.json_of(text, "--identity")
    if not isinstance(identity, dict):
        raise errors.usage(
            "--identity must be one JSON object", '{"subject": "user1", "issuer": "https://…"}'
        )
    return identity


def call(
    ctx: Context,
    target: Target,
    client: AdminClient,
    function: str | None,
    words: Sequence[str],
    *,
    identity: Mapping[str, Any] | None = None,
    watch: bool = False,
    decode: bool = False,
) -> None:
    """Call a function and print its value, or a query's value at every change.

    Raises:
        Failure: unknown function or wrong arguments (exit 2), a protected target without consent (exit 9).
        FunctionFailed: the function raised (exit 1).
    """
    described, args = prepared(ctx, client, function, words)
    path = described.path
    if watch:
        _watch(ctx, client, described, args, identity)
        return
    if described.kind != "query":
        ctx.unprotect(target)
    from convexpy.client import FunctionFailed

    try:
        with ctx.output.working(f"running {path}", quick=True):
            result = client.call(path, args, identity=identity, decode=decode)
    except FunctionFailed as error:
        _show_logs(ctx, error.log_lines)
        raise
    _show_logs(ctx, result.log_lines)
    ctx.output.result(result.value, shown(result.value))


def inline(ctx: Context, client: AdminClient, code: str, *, decode: bool) -> None:
    """Evaluate Python as a query, with `ctx` and `db`, and print the value of its last expression.

    Raises:
        FunctionFailed: it is no Python, or it raised (exit 1).
    """
    from convexpy.client import Evaluator, FunctionFailed

    try:
        found = Evaluator(client).evaluate(code, decode=decode)
    except FunctionFailed as error:
        _show_logs(ctx, error.log_lines)
        raise
    _show_logs(ctx, found.log_lines)
    ctx.output.result(found.value, shown(found.value))


def prepared(
    ctx: Context, client: AdminClient, function: str | None, words: Sequence[str]
) -> tuple[FunctionDescription, dict[str, Any]]:
    """Return the description of the function that is meant, and its arguments; asks for them where it may.

    Raises:
        Failure: unknown function or wrong arguments (exit 2).
    """
    functions = client.app().functions
    if function is None:
        function = _choose(ctx, functions)
    project = ctx.project_or_none
    path = arguments.normal_path(function, "convex" if project is None else project.config.functions)
    if path.startswith("_system/"):
        described = FunctionDescription(path=path, kind="query", visibility="internal")
    else:
        described = arguments.find_function(path, functions)
    words = words or _ask_arguments(ctx, described)
    return described, arguments.parse(words, described.args)


def push_once(ctx: Context, client: AdminClient) -> PushResult:
    """Push what is on disk.

    Raises:
        DeploymentError: the push was refused; the old version serves on.
    """
    from convexpy.project import FunctionsFolder

    files = FunctionsFolder.of(ctx.project, ctx.output.warn).scan()
    return client.push(files, ctx.project.push_config)


def run_line(ctx: Context, client: AdminClient, line: str) -> tuple[str, Any]:
    """Call the function of `--run`, a path with arguments as `convexpy run` takes them; return its path and value.

    Raises:
        Failure: unknown function or wrong arguments.
        FunctionFailed: the function raised.
    """
    function, *words = shlex.split(line)
    described, args = prepared(ctx, client, function, words)
    value = client.call(described.path, args).value
    ctx.output.step("ok", f"{described.path} → {dumps(value)}")
    return described.path, value


def shown(value: Any) -> str:
    """Return a value as people read it: indented on a terminal, on one line in a pipe."""
    return (
        json_printable(json.dumps(value, ensure_ascii=False, indent=2))
        if sys.stdout.isatty()
        else dumps(value)
    )


def _watch(
    ctx: Context,
    client: AdminClient,
    described: FunctionDescription,
    args: Mapping[str, Any],
    identity: Mapping[str, Any] | None,
) -> None:
    from convexpy.client import watch_query

    if described.kind != "query":
        raise errors.usage(f"--watch works with queries only; {described.path} is a {described.kind}")
    for result in watch_query(client.url, client.admin_key, described.path, args, identity=identity):
        _show_logs(ctx, result.log_lines)
        ctx.output.result(result.value, shown(result.value))


def _show_logs(ctx: Context, lines: Sequence[Any]) -> None:
    for line in lines:
        ctx.output.log_line(entries.text_of(line), "LOG")


def _choose(ctx: Context, functions: Sequence[FunctionDescription]) -> str:
    if not ctx.prompts.allowed() or not functions:
        raise errors.usage("the path of a function is missing", "convexpy run messages:list limit=5")
    choices = [(each.path, f"{each.path}  ({each.visibility} {each.kind})") for each in functions]
    return ctx.prompts.choose("Function", choices, answered_by="convexpy run FN", default=choices[0][0])


def _ask_arguments(ctx: Context, described: FunctionDescription) -> list[str]:
    """Ask for every argument that must be there, on a terminal only."""
    fields = described.args["value"] if described.args["type"] == "object" else {}
    wanted = [name for name, each in fields.items() if not each.get("optional")]
    if not wanted or not ctx.prompts.allowed():
        return []
    return [f"{name}={ctx.prompts.text(name, answered_by=f'{name}=…')}" for name in wanted]
