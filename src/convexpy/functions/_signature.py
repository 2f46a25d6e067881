"""From a handler's signature to its parameters and validators.

Read when a push collects functions, not when a module is imported: annotations may name what comes later.
"""

from __future__ import annotations

import inspect
import linecache
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import typing_extensions

from convexpy.errors import ProjectError, SourceLocation, relative_file
from convexpy.values import (
    ANY,
    UNSET,
    ObjectValidator,
    OptionalValidator,
    Validator,
    argument_name,
    validator_of,
)

_def = re.compile(r"\s*(async\s+)?def\s").match
_word_start = re.compile(r"(?<=[A-Za-z0-9])_([A-Za-z0-9])")


class Parameter(NamedTuple):
    """One argument. `validator` is optional where the argument may be left out."""

    name: str
    wire_name: str
    validator: Validator

    @property
    def required(self) -> bool:
        """Whether callers must give it."""
        return not self.validator.is_optional


class Signature(NamedTuple):
    """What a handler takes and gives. `takes_any` says that it takes arguments beyond the parameters."""

    params: tuple[Parameter, ...]
    takes_any: bool
    returns: Validator | None


def camel_case(name: str) -> str:
    """Return `list_mine` as `listMine`; underscores at the ends stay."""
    return _word_start.sub(lambda match: match[1].upper(), name)


def location_of(handler: Callable[..., Any]) -> SourceLocation | None:
    """Return where a function is defined: the line of its `def`."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if code is None:
        return None
    line = code.co_firstlineno
    # The first line of the code is that of the first decorator.
    for number in range(line, line + 50):
        if _def(linecache.getline(code.co_filename, number)):
            line = number
            break
    return SourceLocation(relative_file(code.co_filename), line)


def read_signature(
    handler: Callable[..., Any],
    args: Mapping[str, Validator] | ObjectValidator | None,
    returns: Validator | None,
    *,
    camel: bool,
) -> Signature:
    """Return the parameters and validators of a handler; `args` and `returns` win over annotations.

    Raises:
        ProjectError: the signature makes no sense as that of a function.
    """
    parameters = list(inspect.signature(handler).parameters.values())
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise ProjectError("a function takes ctx first: def name(ctx, …)")
    declared = _declared(args)
    named = [each for each in parameters[1:] if _is_named(each)]
    takes_any = len(named) < len(parameters) - 1
    params = [_read_parameter(handler, each, declared, camel) for each in named]
    if declared is not None:
        params += _check_declared(declared, params, takes_any, camel)
    _check_wire_names(params)
    return Signature(
        tuple(params),
        takes_any and declared is None,
        returns if returns is not None else _read_returns(handler),
    )


def _declared(args: Mapping[str, Validator] | ObjectValidator | None) -> Mapping[str, Validator] | None:
    if args is None:
        return None
    if isinstance(args, ObjectValidator):
        return args.fields
    try:
        return ObjectValidator(args).fields
    except AttributeError:
        raise ProjectError(f"args= takes names with validators, or v.object, not {args!r}") from None


def _is_named(parameter: inspect.Parameter) -> bool:
    """Whether it is a parameter with a name, not `**args`; refuse the kinds that cannot be arguments."""
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return False
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise ProjectError(
            f"parameter {parameter.name!r} is positional-only, but arguments are given by name",
            hint="only ctx comes before the slash: (ctx, /, …)",
        )
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        raise ProjectError(f"*{parameter.name} has no meaning: arguments are given by name")
    return True


def _read_parameter(
    handler: Callable[..., Any],
    parameter: inspect.Parameter,
    declared: Mapping[str, Validator] | None,
    camel: bool,
) -> Parameter:
    name = parameter.name
    hint = None if parameter.annotation is inspect.Parameter.empty else _hint(handler, name)
    wire_name = argument_name(hint) or (camel_case(name) if camel else name)
    if declared is not None:
        validator = declared.get(name) or declared.get(wire_name)
        if validator is None:
            raise ProjectError(
                f"parameter {name!r} is missing in args=, which names {', '.join(map(repr, declared)) or 'nothing'}"
            )
    elif hint is None:
        validator = ANY
    else:
        try:
            validator = validator_of(hint)
        except ProjectError as error:
            raise ProjectError(f"parameter {name!r}: {error.message}", hint=error.hint) from error
    return Parameter(name, wire_name, _with_default(parameter, validator))


def _with_default(parameter: inspect.Parameter, validator: Validator) -> Validator:
    if parameter.default is inspect.Parameter.empty:
        if validator.is_optional:
            raise ProjectError(
                f"parameter {parameter.name!r} is optional and has no default",
                hint=f"write {parameter.name}=UNSET, or any other default",
            )
        return validator
    return OptionalValidator(validator, has_default=parameter.default is not UNSET)


def _check_declared(
    declared: Mapping[str, Validator], params: list[Parameter], takes_any: bool, camel: bool
) -> list[Parameter]:
    """Return parameters for what `args=` names and only `**args` takes."""
    known = {name for each in params for name in (each.name, each.wire_name)}
    rest = [name for name in declared if name not in known]
    if rest and not takes_any:
        raise ProjectError(f"args= names {rest[0]!r}, which is not a parameter of the function")
    return [Parameter(name, camel_case(name) if camel else name, declared[name]) for name in rest]


def _check_wire_names(params: list[Parameter]) -> None:
    names = [each.wire_name for each in params]
    for each in params:
        if names.count(each.wire_name) > 1:
            raise ProjectError(f"two arguments are called {each.wire_name!r}")


def _read_returns(handler: Callable[..., Any]) -> Validator | None:
    if inspect.signature(handler).return_annotation is inspect.Signature.empty:
        return None
    try:
        validator = validator_of(_hint(handler, "return"))
    except ProjectError as error:
        raise ProjectError(f"the return annotation: {error.message}", hint=error.hint) from error
    return None if validator == ANY else validator


def _hint(handler: Callable[..., Any], name: str) -> Any:
    """Return one annotation with its strings evaluated: those of others may be missing at run time (ctx)."""
    function = inspect.unwrap(handler)
    shim = types.SimpleNamespace(__annotations__={name: function.__annotations__[name]})
    closure = inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
    try:
        hints = typing_extensions.get_type_hints(
            shim,
            globalns=getattr(function, "__globals__", {}),
            localns=dict(closure),
            include_extras=True,
        )
    except NameError as error:
        where = "the return annotation" if name == "return" else f"parameter {name!r}"
        raise ProjectError(
            f"{where} has an annotation that cannot be read at run time: {error}",
            hint="import the name outside of `if TYPE_CHECKING:`",
        ) from error
    return hints[name]
