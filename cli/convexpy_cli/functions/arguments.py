"""From the words after `convexpy run FN` to a path and arguments, typed by the function's validator."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from convexpy.protocol.app_description import FunctionDescription
from convexpy_cli import errors
from convexpy_cli.output import files

NO_QUOTING = "use name=value to avoid quoting"
_PAIR = re.compile(r"([A-Za-z_$][\w$.-]*)(:=|=)(.*)", re.DOTALL)


def normal_path(text: str, functions: str = "convex") -> str:
    """Return `sessions/queries:get` for the forms in which people name a function."""
    text = text.removeprefix("api.").removeprefix("internal.")
    for prefix in (f"./{functions}/", f"{functions}/"):
        text = text.removeprefix(prefix)
    module, colon, name = text.partition(":")
    if colon:
        return f"{module.removesuffix('.py').removesuffix('.js')}:{name}"
    if module.endswith((".py", ".js")):
        return f"{module[:-3]}:default"
    if "." in module:
        return "{}:{}".format(module.rpartition(".")[0].replace(".", "/"), module.rpartition(".")[2])
    return f"{module}:default"


def find_function(path: str, functions: Sequence[FunctionDescription]) -> FunctionDescription:
    """Return the description of a function.

    Raises:
        Failure: there is none of that name (exit 2); says which are near, also in the other spelling of case.
    """
    found = next((each for each in functions if each.path == path), None)
    if found is not None:
        return found
    known = [each.path for each in functions]
    twins = [each for each in known if _plain(each) == _plain(path)]
    near = twins or [each for each in [errors.nearest(path, known)] if each]
    near = near or [each for each in known if each.rpartition(":")[2] == path.rpartition(":")[2]]
    if near:
        hint = f"did you mean {', '.join(near[:3])}?"
    elif known:
        hint = f"known: {', '.join(sorted(known)[:8])}"
    else:
        hint = "nothing has been pushed yet: convexpy dev, or convexpy dev --once"
    raise errors.Failure("FunctionNotFound", f'no function "{path}"', hint=hint)


def _plain(path: str) -> str:
    return path.replace("_", "").lower()


def parse(words: Sequence[str], args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments as Convex's JSON. `args` is the description of the function's argument validator.

    Raises:
        Failure: with every problem and its path (exit 2).
    """
    fields: Mapping[str, Any] | None = args["value"] if args and args.get("type") == "object" else None
    given: dict[str, Any] = {}
    misread: set[str] = set()
    problems: list[str] = []
    for word in words:
        pair = None if word.startswith(("{", "@")) or word == "-" else _PAIR.fullmatch(word)
        if pair is None:
            given.update(_whole_object(word))
        elif pair[2] == ":=":
            given[pair[1]] = files.parsed_json(pair[3], f"{pair[1]}:=", NO_QUOTING)
        else:
            described = fields[pair[1]]["fieldType"] if fields and pair[1] in fields else {"type": "any"}
            try:
                given[pair[1]] = typed(pair[3], described)
            except ValueError as error:
                misread.add(pair[1])
                problems.append(f"{pair[1]}: {error}")
    if fields is not None:
        problems += [f"{name}: no such argument" for name in given if name not in fields]
        problems += [
            f"{name}: missing"
            for name, each in fields.items()
            if not each.get("optional") and name not in given and name not in misread
        ]
    if problems:
        raise errors.Failure(
            "ArgumentsInvalid", "; ".join(problems), hint=_example(fields), data={"problems": problems}
        )
    return given


def _example(fields: Mapping[str, Any] | None) -> str | None:
    if not fields:
        return None
    return "arguments: " + " ".join(
        f"{name}=…" if not each.get("optional") else f"[{name}=…]" for name, each in fields.items()
    )


def _whole_object(word: str) -> dict[str, Any]:
    value, where = files.json_of(word, "the arguments", NO_QUOTING)
    if not isinstance(value, dict):
        raise errors.usage(
            f"{where}: arguments must be one JSON object or name=value",
            'for example  {"limit": 5}  or  limit=5',
        )
    return value


def typed(text: str, described: Mapping[str, Any]) -> Any:
    """Return a word as the value that a validator wants, in Convex's JSON.

    Raises:
        ValueError: it cannot be read as that.
    """
    kind = described["type"]
    if kind == "union":
        return _typed_union(text, described["value"])
    if kind in ("string", "id"):
        return text
    if kind == "literal":
        if text != str(described["value"]) and text != json.dumps(described["value"]):
            raise ValueError(f"{text!r} is not {json.dumps(described['value'])}")
        return described["value"]
    if kind == "number":
        return _number(text, whole=bool(described.get("int")))
    if kind == "bigint":
        return {"$integer": base64.b64encode(struct.pack("<q", int(text))).decode()}
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is not true or false")
        return text == "true"
    if kind == "null":
        if text != "null":
            raise ValueError(f"{text!r} is not null")
        return None
    if kind == "bytes":
        return {"$bytes": base64.b64encode(text.encode()).decode()}
    return _anything(text) if kind == "any" else json.loads(text)


def _typed_union(text: str, members: Sequence[Mapping[str, Any]]) -> Any:
    if all(member["type"] == "literal" for member in members):
        for member in members:
            if text in (str(member["value"]), json.dumps(member["value"])):
                return member["value"]
        *others, last = [json.dumps(member["value"]) for member in members]
        raise ValueError(f"must be {', '.join(others)} or {last}; got {json.dumps(text)}")
    # What can be anything as text comes last, else `null` and numbers would never be reached.
    ordered = sorted(members, key=lambda member: member["type"] in ("string", "id", "any"))
    reasons: list[str] = []
    for member in ordered:
        try:
            return typed(text, member)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(" and ".join(reasons))


def _number(text: str, *, whole: bool) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if whole and not number.is_integer():
        raise ValueError(f"{text!r} is not a whole number")
    if number != number or number in (float("inf"), float("-inf")):
        return {"$float": base64.b64encode(struct.pack("<d", number)).decode()}
    return number


def _anything(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
