"""A plugin for mypy, which names the wrong field of a document: `plugins = ["convexpy.project.mypy"]` in its configuration.

The methods of `_generated/server.pyi` have a form for each table. Of a call that fits none of them mypy lists all forms;
with the plugin it checks a document that is written in the call against the table that the call names.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import DictExpr, StrExpr
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import AnyType, FunctionLike, Instance, LiteralType, TypedDictType, TypeOfAny, get_proper_type

_METHODS = tuple(f"_generated.server.DatabaseWriter.{name}" for name in ("insert", "patch", "replace"))


class _ConvexpyPlugin(Plugin):
    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Return what is asked for each form of a method (called by mypy)."""
        return _checked if fullname.endswith(_METHODS) else None


def _checked(ctx: MethodSigContext) -> FunctionLike:
    """Check the document if the call means this form, and let the form take it, so that no error is reported twice."""
    form = ctx.default_signature
    fields = get_proper_type(form.arg_types[-1])
    if not isinstance(fields, TypedDictType) or not ctx.args[-1] or not _is_meant(ctx):
        return form
    document = ctx.args[-1][0]
    if not isinstance(document, DictExpr):
        return form
    ctx.api.get_expression_type(document, type_context=fields)
    return form.copy_modified(arg_types=[*form.arg_types[:-1], AnyType(TypeOfAny.special_form)])


def _is_meant(ctx: MethodSigContext) -> bool:
    """Return whether the table and the id of a call are those of the form."""
    for wanted, given in zip(ctx.default_signature.arg_types[:-1], ctx.args[:-1], strict=True):
        if not given:
            return False
        wanted = get_proper_type(wanted)
        if isinstance(wanted, LiteralType):
            if not isinstance(given[0], StrExpr) or given[0].value != wanted.value:
                return False
        elif isinstance(wanted, Instance):
            found = get_proper_type(ctx.api.get_expression_type(given[0]))
            if not isinstance(found, Instance) or not found.type.has_base(wanted.type.fullname):
                return False
    return True


def plugin(version: str) -> type[Plugin]:
    """Return the plugin (called by mypy)."""
    return _ConvexpyPlugin
