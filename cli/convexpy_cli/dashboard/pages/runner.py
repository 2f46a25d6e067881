"""Running a function: its arguments as a form, as whom, and what it returns: of a query, whenever that changes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from convexpy.client import FunctionFailed, FunctionResult
from convexpy.errors import Error
from convexpy.protocol.app_description import FunctionDescription
from convexpy.schema.shapes import shape
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.documents import pretty
from convexpy_cli.dashboard.ui.dialogs import change, described as in_words
from convexpy_cli.dashboard.ui.elements import button, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.live import Following
from convexpy_cli.functions.arguments import typed
from convexpy_cli.logs.entries import text_of

IDENTITY_EXAMPLE = '{"subject": "user_1", "name": "Ada"}'
ONE_LINE = {"string", "id", "number", "bigint", "null", "bytes", "boolean", "literal"}


Outcome = FunctionResult | FunctionFailed


class Runner:
    """The form, and beside it the result."""

    def __init__(self, deployment: Deployment, function: FunctionDescription) -> None:
        self._deployment, self._function = deployment, function
        self._following: Following[Outcome] | None = None
        self._args: dict[str, Any] = {}
        self._identity: dict[str, Any] | None = None
        with tag("div", classes="runner"):
            with tag("section", classes="stack", aria_label="Arguments"):
                self._form()
            with tag("section", classes="stack", aria_label="Result"):
                tag("h2", "Result")
                self._state = tag("p", "Not run yet.", "muted", role="status")
                self._value = tag("pre", "", "value")
                self._error = note("", "bad")
                self._logs = tag("pre", "", "value")
        for part in (self._value, self._error, self._logs):
            part.set_visibility(False)

    def _form(self) -> None:
        tag("h2", "Arguments")
        self._arguments = ArgumentForm(self._function)
        self._as = None
        if self._deployment.allows("actAsUser"):
            self._as = Field(
                "Act as", kind="area", mono=True, rows=2, placeholder=IDENTITY_EXAMPLE,
                hint="Claims of an identity, as JSON. Empty: nobody is signed in.",
            )  # fmt: skip
        if not self._may_run():
            kind = self._deployment.identified.access.kind
            note(f"The key is of the kind “{kind}”: it cannot run this {self._function.kind}.", "warn")
            return
        with tag("div", classes="row"):
            text = "Run and watch" if self._function.kind == "query" else f"Run {self._function.kind}"
            button(text, self._run, look="primary", symbol="play")

    def _may_run(self) -> bool:
        reads = self._function.kind == "query" and self._deployment.identified.access.kind == "read-only"
        return reads or self._deployment.allows("functions:run")

    async def _run(self) -> None:
        args = self._arguments.read()
        if args is None or not self._read_identity():
            return
        self._args = args
        if self._function.kind == "query":
            if self._following is None:
                self._following = Following(self._watch, self._show_live, self._failed)
            else:
                self._following.restart()
            return
        await self._call()

    def _read_identity(self) -> bool:
        text = self._as.text.strip() if self._as is not None else ""
        try:
            found = json.loads(text) if text else None
        except json.JSONDecodeError as error:
            found = error
        if self._as is not None:
            self._as.fail(
                ""
                if found is None or isinstance(found, dict)
                else f"A JSON object, such as {IDENTITY_EXAMPLE}"
            )
        self._identity = found if isinstance(found, dict) else None
        return found is None or isinstance(found, dict)

    async def _watch(self) -> AsyncGenerator[Outcome, None]:
        async for result in self._deployment.watch(self._function.path, self._args, self._identity):
            yield result

    async def _call(self) -> None:
        self._state.text = "Running …"
        began = time.monotonic()
        try:
            done = await change(self._deployment, self._called, failed=self._refused)
        except FunctionFailed as error:
            self._failed(error)
            return
        if done is not None:
            self._show(done[0], f"Returned after {(time.monotonic() - began) * 1000:,.0f} ms")
        elif self._state.text == "Running …":
            self._state.text = "Not run."

    async def _called(self) -> FunctionResult:
        return await self._deployment.call(self._function.path, self._args, self._identity)

    def _show_live(self, result: Outcome) -> None:
        if isinstance(result, FunctionFailed):
            self._failed(result)
            return
        self._show(result, f"Live; as of {time.strftime('%H:%M:%S')}")

    def _show(self, result: FunctionResult, state: str) -> None:
        self._state.text = state
        self._value.text = pretty(result.value)
        self._value.set_visibility(True)
        self._error.set_visibility(False)
        self._show_logs(result.log_lines)

    def _refused(self, text: str) -> None:
        self._state.text = "Failed"
        self._error.text = text
        self._error.set_visibility(True)
        self._value.set_visibility(False)

    def _failed(self, error: Error) -> None:
        self._refused(in_words(error))
        self._show_logs(error.log_lines if isinstance(error, FunctionFailed) else [])

    def _show_logs(self, lines: list[Any]) -> None:
        self._logs.text = "\n".join(map(text_of, lines))
        self._logs.set_visibility(bool(lines))


class ArgumentForm:
    """A field for each argument, made from the validators of the function; or JSON where they say nothing."""

    def __init__(self, function: FunctionDescription) -> None:
        self._fields: dict[str, tuple[Field, Mapping[str, Any], bool]] = {}
        self._json: Field | None = None
        args = function.args
        if args.get("type") != "object":
            self._json = Field("Arguments, as JSON", "{}", kind="area", mono=True)
            return
        if not args["value"]:
            tag("p", "This function takes no arguments.", "muted")
        for name, described in args["value"].items():
            optional = bool(described.get("optional"))
            self._fields[name] = (
                argument_field(name, described["fieldType"], optional=optional),
                described["fieldType"],
                optional,
            )

    def read(self) -> dict[str, Any] | None:
        """Return the arguments in Convex's JSON encoding; None if one cannot be read, which its field says."""
        if self._json is not None:
            return self._read_json(self._json)
        found: dict[str, Any] = {}
        complete = True
        for name, (field, validator, optional) in self._fields.items():
            field.fail("")
            if optional and not field.text:
                continue
            try:
                found[name] = typed(field.text, validator)
            except (ValueError, TypeError) as error:
                field.fail(str(error))
                complete = False
        return found if complete else None

    def _read_json(self, field: Field) -> dict[str, Any] | None:
        try:
            found = json.loads(field.text)
        except json.JSONDecodeError as error:
            field.fail(f"Line {error.lineno}, column {error.colno}: {error.msg}")
            return None
        field.fail("" if isinstance(found, dict) else "The arguments are a JSON object: { … }")
        return found if isinstance(found, dict) else None


def argument_field(name: str, validator: Mapping[str, Any], *, optional: bool) -> Field:
    """Return the field of an argument: a choice, a line or JSON, as its validator says."""
    label = f"{name}{' (optional)' if optional else ''}"
    choices = choices_of(validator)
    if choices is not None:
        offered = {"": "(not given)"} | choices if optional else choices
        return Field(label, next(iter(offered)), kind="select", options=offered)
    kind = str(validator["type"])
    hint = shape(validator)
    if one_line(validator):
        return Field(label, hint=hint, mono=kind != "string")
    return Field(
        label, "" if optional else _blank(kind), kind="area", mono=True, rows=3, hint=f"{hint}, as JSON"
    )


def choices_of(validator: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the values that are all there are, each with its text: of booleans, literals and unions of those."""
    kind = validator["type"]
    if kind == "boolean":
        return {"false": "false", "true": "true"}
    members = validator["value"] if kind == "union" else [validator]
    found: dict[str, str] = {}
    for member in members:
        if member["type"] == "literal":
            text = member["value"] if isinstance(member["value"], str) else json.dumps(member["value"])
        elif member["type"] == "null" and kind == "union":
            text = "null"
        else:
            return None
        found[text] = text
    return found or None


def one_line(validator: Mapping[str, Any]) -> bool:
    """Say whether a value is typed as it is, and not as JSON."""
    if validator["type"] == "union":
        return all(one_line(member) for member in validator["value"])
    return validator["type"] in ONE_LINE


def _blank(kind: str) -> str:
    return {"array": "[]", "object": "{}", "record": "{}"}.get(kind, "")
