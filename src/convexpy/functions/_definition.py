"""A function of the app, as the engine runs it.

`prepare` and `finish` are around every call: arguments are checked, converted and renamed, the result is
made canonical and checked. `invoke` is both, for plain `def` handlers. What they need is worked out once,
by `resolve`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from convexpy.errors import ArgumentError, ProjectError, ReturnsError, SourceLocation
from convexpy.functions._signature import Parameter, Signature, location_of, read_signature
from convexpy.protocol.app_description import (
    FunctionDescription,
    FunctionKind,
    ParameterDescription,
    Visibility,
)
from convexpy.values import UNSET, Convert, ObjectValidator, TableNumbers, Validator, normalize


def is_coroutine_function(handler: Callable[..., Any]) -> bool:
    """Whether a call gives something to await, also where a decorator stands before an `async def`."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(inspect.unwrap(handler))


class FunctionDefinition:
    """What was registered: who may call it, what it takes and gives, and the Python function behind it.

    `path` is set when a push collects the functions of the app.
    """

    def __init__(
        self,
        *,
        kind: FunctionKind,
        visibility: Visibility,
        handler: Callable[..., Any],
        run: Callable[..., Any],
        args: Mapping[str, Validator] | ObjectValidator | None = None,
        returns: Validator | None = None,
        name: str | None = None,
        timeout_s: float | None = None,
        module: str | None = None,
    ) -> None:
        self.kind: FunctionKind = kind
        self.visibility: Visibility = visibility
        self.handler = handler
        self.name = name
        self.timeout_s = timeout_s
        self.module = module
        self.path: str | None = None
        self.is_async: bool = is_coroutine_function(handler)
        self.location: SourceLocation | None = location_of(handler)
        self.run = run
        self._given_args = args
        self._given_returns = returns
        self._signature: Signature | None = None
        self._camel = False
        self._args: ObjectValidator | None = None
        self._returns: Validator | None = None
        self._changes: list[tuple[str, str, Callable[[Any], Any] | None, type | None]] = []

    @property
    def name_for_messages(self) -> str:
        """The path, or the Python name where there is none yet."""
        return self.path or str(getattr(self.handler, "__qualname__", self.handler))

    @property
    def params(self) -> tuple[Parameter, ...]:
        """The parameters after ctx."""
        return self._resolved().params

    @property
    def args(self) -> ObjectValidator | None:
        """The validator of arguments by wire name, None if any are taken."""
        self._resolved()
        return self._args

    @property
    def returns(self) -> Validator | None:
        """The validator of the result, None if it is not checked."""
        self._resolved()
        return self._returns

    @property
    def convert_result(self) -> Callable[[Any], Any] | None:
        """Makes of a plain result what the return annotation says; None where it is that already."""
        self._resolved()
        return self._returns.convert if self._returns is not None else None

    def resolve(self, *, camel: bool = False) -> None:
        """Read the signature, once. With `camel`, arguments are published in camel case.

        Raises:
            ProjectError: with the place of the function.
        """
        if self._signature is not None and self._camel == camel:
            return
        try:
            if self.kind != "action" and self.is_async:
                raise ProjectError(
                    f"a {self.kind} is a plain def, not async def: the database is local, nothing is awaited",
                    hint="remove async and await, or make it an action",
                )
            signature = read_signature(self.handler, self._given_args, self._given_returns, camel=camel)
        except ProjectError as error:
            name = self.name_for_messages
            raise ProjectError(
                f"{name}: {error.message}", hint=error.hint, location=self.location
            ) from error.__cause__
        self._signature, self._camel = signature, camel
        self._returns = signature.returns
        fields = {each.wire_name: each.validator for each in signature.params}
        self._args = None if signature.takes_any and not fields else ObjectValidator(fields)
        # What is an int already, as most numbers are, is not made one again.
        self._changes = [
            (each.wire_name, each.name, convert := each.validator.convert, int if convert is int else None)
            for each in signature.params
            if each.wire_name != each.name or each.validator.convert is not None
        ]

    def _resolved(self) -> Signature:
        if self._signature is None:
            self.resolve()
            assert self._signature is not None
        return self._signature

    def to_wire_names(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments that are named as in Python under their names on the wire."""
        wire = {each.name: each.wire_name for each in self._resolved().params}
        return {wire.get(name, name): item for name, item in args.items()}

    def prepare(self, args: dict[str, Any], tables: TableNumbers | None = None) -> dict[str, Any]:
        """Return the keywords for the handler from canonical arguments by wire name.

        Raises:
            ArgumentError: they do not fit; the text is Convex's, without `ArgumentValidationError: `.
        """
        if self._signature is None:
            self.resolve()
        if self._args is not None and not self._args.fits(args, tables):
            args = self._rest_checked(args, tables)
        if not self._changes:
            return args
        prepared = dict(args)
        for wire_name, name, convert, kept in self._changes:
            if wire_name in prepared and (name != wire_name or type(prepared[wire_name]) is not kept):
                item = prepared.pop(wire_name)
                prepared[name] = item if convert is None else _converted(convert, item)
        return prepared

    def finish(self, result: Any, tables: TableNumbers | None = None) -> Any:
        """Return the canonical form of what the handler returned; UNSET is null.

        Raises:
            ReturnsError: it is not a Convex value (code `UnsupportedValue`), or does not fit the validator.
        """
        try:
            plain = None if result is None or result is UNSET else normalize(result)
        except ArgumentError as error:
            raise ReturnsError(
                _said(self.name_for_messages, error.message), code="UnsupportedValue"
            ) from None
        returns = self._returns
        if returns is not None and not returns.fits(plain, tables):
            raise ReturnsError(returns.violation(plain, "", tables) or "")
        return plain

    def invoke(self, ctx: Any, args: dict[str, Any], tables: TableNumbers | None = None) -> Any:
        """Call a plain `def` handler: canonical arguments by wire name in, canonical result out.

        Raises:
            ArgumentError: the arguments do not fit.
            ReturnsError: the result does not fit.
        """
        return self.finish(self.run(ctx, **self.prepare(args, tables)), tables)

    def describe(self) -> FunctionDescription:
        """Return the function as data."""
        signature = self._resolved()
        any_args = self._args is None or signature.takes_any
        return FunctionDescription(
            path=self.path or "",
            kind=self.kind,
            visibility=self.visibility,
            args={"type": "any"} if any_args or self._args is None else self._args.describe(),
            returns=None if self._returns is None else self._returns.describe(),
            file=self.location.file if self.location else None,
            line=self.location.line if self.location else None,
            is_async=self.is_async,
            params=tuple(ParameterDescription(each.wire_name, each.required) for each in signature.params),
            timeout_s=self.timeout_s,
            doc=inspect.getdoc(self.handler),
        )

    def _rest_checked(self, args: dict[str, Any], tables: TableNumbers | None) -> dict[str, Any]:
        """Accept arguments that only `**args` takes, else raise."""
        assert self._args is not None
        signature = self._resolved()
        declared = args
        if signature.takes_any:
            names = self._args.fields
            declared = {name: item for name, item in args.items() if name in names}
        text = self._args.violation(declared, "", tables)
        if text is not None:
            raise _invalid_arguments(text)
        return args

    def __repr__(self) -> str:
        return f"<{self.visibility} {self.kind} {self.name_for_messages}>"


def _invalid_arguments(text: str) -> ArgumentError:
    return ArgumentError(text, code="ArgumentValidationError")


def _converted(convert: Convert, item: Any) -> Any:
    try:
        return convert(item)
    except ArgumentError as error:
        raise _invalid_arguments(error.message) from error


def _said(function: str, message: str) -> str:
    article = "an " if message.startswith("unsupported") else "a wrong value: "
    return f"{function} returned {article}{message}"
