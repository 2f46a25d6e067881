"""`api.js` and `api.d.ts`: a typed reference for every function, in the trees `api` and `internal`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from convexpy.project.codegen.typescript._layout import block, imports, key
from convexpy.project.codegen.typescript._types import Types
from convexpy.protocol.app_description import FunctionDescription
from convexpy.schema.data_model import DataModel

_HEADER = """/* eslint-disable */
/**
 * References to the functions of the app: `useQuery(api.messages.list, {})`.
 *
 * Written by `convexpy codegen`. Do not edit.
 */
"""
_SCRIPT = """import { anyApi } from "convex/server";

export const api = anyApi;
export const internal = anyApi;
"""
_TREES = (
    ("api", "public", "Functions that clients may call."),
    ("internal", "internal", "Functions that only the app itself may call."),
)


@dataclass
class _Node:
    """A folder, a module or a function; with `sessions/__init__.py` one name can be several of these."""

    reference: str | None = None
    children: dict[str, _Node] = field(default_factory=dict[str, "_Node"])

    def text(self) -> str:
        members = [f"{key(name)}: {child.text()}" for name, child in sorted(self.children.items())]
        if self.reference is None:
            return block(members)
        return f"{self.reference} & {block(members)}" if members else self.reference


def render_api_script() -> str:
    """Return the text of `api.js`."""
    return f"{_HEADER}{_SCRIPT}"


def render_api(functions: Sequence[FunctionDescription], model: DataModel) -> str:
    """Return the text of `api.d.ts`."""
    types = Types(model, named=True)
    roots = {visibility: _Node() for _, visibility, _ in _TREES}
    for function in functions:
        _put(roots[function.visibility], function.path, _reference(function, types))
    trees = [
        f"/** {said} */\nexport declare const {variable}: {roots[visibility].text()};\n"
        for variable, visibility, said in _TREES
    ]
    names = {*types.server, *(["FunctionReference"] if functions else [])}
    head = imports(
        {"convex/server": names, "convex/values": types.values, "./dataModel.js": types.data_model}
    )
    return "\n".join([_HEADER + head, *trees] if head else [_HEADER + trees[0], *trees[1:]])


def _reference(function: FunctionDescription, types: Types) -> str:
    args = types.of(function.args)
    returns = types.of(function.returns or {"type": "any"}, in_result=True)
    return f'FunctionReference<"{function.kind}", "{function.visibility}", {args}, {returns}>'


def _put(root: _Node, path: str, reference: str) -> None:
    module, _, name = path.partition(":")
    node = root
    for part in [*module.split("/"), name or "default"]:
        node = node.children.setdefault(part, _Node())
    node.reference = reference
