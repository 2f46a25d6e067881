"""The work of `convexpy env`: where values come from, what a change would do, how variables are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convexpy.client import AdminClient, DeploymentError
from convexpy.project import parse_env
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deployments import current
from convexpy_cli.output import files

# They choose a target or tell a front end where it is: never variables of functions.
_NOT_FOR_DEPLOYMENTS = {
    "CONVEX_DEPLOYMENT",
    "CONVEX_DEPLOY_KEY",
    "CONVEX_SELF_HOSTED_ADMIN_KEY",
    "CONVEX_SELF_HOSTED_URL",
    "CONVEX_SITE_URL",
    "CONVEX_CLOUD_URL",
    "CONVEX_URL",
    "CONVEXPY_DEPLOYMENT",
    "CONVEXPY_DEVELOPMENT",
    "CONVEXPY_DEPLOY_KEY",
    "CONVEXPY_URL",
}


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Changes:
    """Names of variables, by what happens to them."""

    added: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    unchanged: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])

    def to_json(self) -> dict[str, list[str]]:
        """Return `added changed unchanged removed`."""
        return {name: getattr(self, name) for name in ("added", "changed", "unchanged", "removed")}

    def to_send(self, wanted: Mapping[str, str]) -> dict[str, str | None]:
        """Return what the deployment has to be told."""
        return {name: wanted[name] for name in [*self.added, *self.changed]}

    def summary(self) -> str:
        """Return "2 added, 1 changed"."""
        parts = [f"{len(names)} {what}" for what, names in self.to_json().items() if names]
        return ", ".join(parts) or "nothing to change"


def wanted(ctx: Context, words: Sequence[str], from_file: str | None) -> dict[str, str]:
    """Return the variables to set, from arguments, a file, stdin or a hidden prompt.

    Raises:
        Failure: usage (exit 2), or nobody to ask (exit 4).
    """
    if not words:
        if from_file is None:
            raise errors.usage(
                "the name of a variable is missing", "convexpy env set NAME [VALUE], or --from-file FILE"
            )
        return of_deployments(ctx, files.of_file(from_file))
    first, *more = words
    is_pair = len(words) == 2 and _NAME.fullmatch(first) is not None
    pairs = [word.partition("=") for word in ([first] if is_pair else words)]
    for place, (name, _, _) in enumerate(pairs):
        if _NAME.fullmatch(name) is None:
            # Not shown: it may be the value, in the place of the name.
            which = "the first argument" if not place else f"argument {place + 1}"
            raise errors.usage(
                f"{which} is not a valid variable name: letters, digits and _, not starting with a digit",
                "convexpy env set NAME VALUE, or convexpy env set A=1 B=2",
            )
    if len(pairs) > 1:
        if from_file is not None:
            raise errors.usage("a value and --from-file cannot be combined")
        if not all(sign for _, sign, _ in pairs):
            raise errors.usage(
                "several variables are set as NAME=VALUE each",
                "convexpy env set NAME VALUE, or convexpy env set A=1 B=2",
            )
        return {name: text for name, _, text in pairs}
    ((name, sign, text),) = pairs
    value = more[0] if is_pair else text if sign else None
    if value is not None and from_file is not None:
        raise errors.usage("a value and --from-file cannot be combined")
    if value is not None:
        return {name: value}
    if from_file is not None:
        return {name: _without_newline(files.of_file(from_file))}
    if ctx.prompts.allowed():
        return {name: ctx.prompts.secret(f"Value of {name}", answered_by="convexpy env set NAME VALUE")}
    piped = files.piped()
    if not piped:
        raise errors.Failure(
            "InputRequired",
            f"no value for {name}: stdin is empty, and there is no terminal for a prompt",
            hint=f"convexpy env set {name} VALUE",
        )
    return {name: _without_newline(piped)}


def present_values(client: AdminClient) -> dict[str, str | None]:
    """Return what is set; with a key that may not read values, names whose values are None."""
    try:
        return dict(client.environment())
    except DeploymentError as error:
        if error.code != "KeyKindForbidden":
            raise
    return {row.name: None for row in client.described_environment()}


def changes(present: Mapping[str, str | None], wanted: Mapping[str, str], *, replace: bool) -> Changes:
    """Return what setting `wanted` does to what is there.

    Raises:
        Failure: without `replace`, if a value that is set would change (exit 9).
    """
    found = Changes()
    for name, value in wanted.items():
        kind = (
            found.added
            if name not in present
            else found.unchanged
            if present[name] == value
            else found.changed
        )
        kind.append(name)
    if found.changed and not replace:
        raise errors.consent(
            f"these variables have other values: {', '.join(found.changed)}",
            "--replace-existing",
            data=found.to_json(),
        )
    return found


def of_deployments(ctx: Context, text: str) -> dict[str, str]:
    """Return the variables of an env file that are for functions; the others are named."""
    variables = parse_env(text)
    skipped = [name for name in variables if name in _NOT_FOR_DEPLOYMENTS]
    if skipped:
        ctx.output.note(f"skipped, because they choose the deployment: {', '.join(skipped)}")
    return {name: value for name, value in variables.items() if name not in _NOT_FOR_DEPLOYMENTS}


def read_other(ctx: Context, other: str) -> dict[str, str]:
    """Return the variables of an env file, or of a deployment.

    Raises:
        Failure: the file can't be read (exit 2).
        ProjectError: there is no such deployment.
    """
    is_url = other.startswith(("http://", "https://"))
    if Path(other).is_file() or (not is_url and (other.startswith(".") or "/" in other)):
        return of_deployments(ctx, files.of_file(other))
    with ctx.connected("env diff", target=current.named(ctx, other)) as (_, client):
        return client.environment()


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
