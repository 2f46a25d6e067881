"""The functions of the active version as the server knows them: by path, kind and visibility; never the code."""

from __future__ import annotations

import functools
import re

from convexpy.access import Access, OperationNotPermitted
from convexpy.engine.outcome import Outcome, failed
from convexpy.errors import RequestError
from convexpy.limits import FUNCTION_PATH_BYTES_MAX
from convexpy.protocol.app_description import AppDescription, FunctionDescription

_COMPONENT = re.compile(r"[A-Za-z0-9_.]{1,64}")
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def canonical_path(text: str) -> str:
    """Return `dir/mod:fn` for any spelling: `.js` stripped, no colon means the function `default`.

    Raises:
        RequestError: it cannot be a path, or is longer than `FUNCTION_PATH_BYTES_MAX`.
    """
    if len(text) > FUNCTION_PATH_BYTES_MAX:
        raise RequestError(
            f"a function path has at most {FUNCTION_PATH_BYTES_MAX} bytes, not {len(text)}: {text[:60]!r}…",
            code="BadConvexFunctionIdentifier",
        )
    return _canonical(text)


@functools.lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    module, colon, name = text.rpartition(":")
    if not colon:
        module, name = text, "default"
    module = module.removesuffix(".js").removesuffix(".py")
    parts = module.split("/")
    good = all(
        _COMPONENT.fullmatch(part) and any(letter.isalnum() for letter in part) and ".." not in part
        for part in parts
    )
    if not good or not _FUNCTION.fullmatch(name):
        raise RequestError(
            f"{text!r} is not a function path: write module:function, for instance messages:list",
            code="BadConvexFunctionIdentifier",
        )
    return f"{module}:{name}"


class FunctionRegistry:
    """Which functions exist, of which kind, for whom."""

    def __init__(self, description: AppDescription | None = None) -> None:
        self.description: AppDescription = description or AppDescription()
        self._functions = {function.path: function for function in self.description.functions}

    def get(self, path: str) -> FunctionDescription | None:
        """Return the description of a function."""
        return self._functions.get(path)

    def route(self, method: str, path: str) -> str | None:
        """Return `GET /path` or `GET /prefix/*`, the route of the app that answers a request; None if there is none."""
        wanted = "GET" if method == "HEAD" else method
        best = ""
        for route in self.description.http:
            if route.method != wanted:
                continue
            if route.path == path:
                return f"{wanted} {path}"
            prefix = route.path_prefix
            if prefix is not None and path.startswith(prefix) and len(prefix) > len(best):
                best = prefix
        return f"{wanted} {best}*" if best else None

    def refusal(self, kind: str, path: str, access: Access | None) -> Outcome | None:
        """Return the failure of a call that must not run: missing, internal, of another kind, or not for this key.

        An internal function is reported to strangers exactly like a missing one.
        """
        operation = None if access is None else access.refused(kind, path)
        if operation is not None:
            refused = OperationNotPermitted(operation)
            return failed(refused.code, refused.message, function=path)
        function = self._functions.get(path)
        if path.startswith("_system/") and access is not None and access.finds(kind, path):
            return None
        if function is None or (function.visibility != "public" and access is None):
            what = "public function" if access is None else "function"
            return failed(
                "FunctionNotFound",
                f"Could not find {what} for '{path}'. Did you forget to run `convexpy dev` or `convexpy deploy`?",
                function=path,
            )
        if function.kind != kind:
            return failed(
                "FunctionKindMismatch",
                f"Trying to execute {path} as {kind.capitalize()}, but it is defined as {function.kind.capitalize()}.",
                function=path,
            )
        return None
