"""`api.py` and `api.pyi`: a typed reference for every function, in the trees `api` and `internal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convexpy.protocol.app_description import FunctionDescription, ValidatorJson
from convexpy.schema.data_model import (
    Annotations,
    DataModel,
    Described,
    FieldType,
    UniqueNames,
    import_lines,
    is_name,
    pascal,
    signature,
    typed_dict,
    words_of,
)

WIDTH = 100

_REFERENCES = {"query": "QueryReference", "mutation": "MutationReference", "action": "ActionReference"}
_HEADER = '''"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""
'''


def render_api() -> str:
    """Return the text of `api.py`."""
    head = '"""Written by `convexpy codegen`. Do not edit. The types are in api.pyi."""'
    return f"{head}\n\nfrom convexpy import api as api, internal as internal\n"


def render_api_stub(functions: Sequence[FunctionDescription], model: DataModel) -> str:
    """Return the text of `api.pyi`."""
    return _ApiStub(functions, model).render()


@dataclass
class _Function:
    module: str
    name: str
    described: FunctionDescription
    reference: str = ""


@dataclass
class _Node:
    """A folder or module in `api` or `internal`."""

    functions: dict[str, str] = field(default_factory=dict[str, str])
    children: dict[str, _Node] = field(default_factory=dict[str, "_Node"])


class _AppObjects:
    """Classes of the app are spelled out; those of `data_model.py` are imported."""

    def __init__(self, model: DataModel) -> None:
        self.generated = model.names()
        self._unions = {table.title: len(table.variants) for table in model.tables if table.is_union}
        self.annotations: Annotations | None = None
        self.declared: list[list[str]] = []
        self.classes: list[str] = []
        self.in_result = False
        self._names = UniqueNames()

    def name_of(self, described: Described, place: str) -> str:
        assert self.annotations is not None  # set right after both are made
        name = described.get("name")
        if name in self.generated and str(described.get("module", "")).endswith("_generated.data_model"):
            return str(name)
        if name is not None and name not in self.classes:
            self.classes.append(str(name))
        own = self._names.take("_" + place)
        fields = [
            FieldType(
                key, self.annotations.of(each["fieldType"], place + pascal(key)), self._always_there(each)
            )
            for key, each in described["value"].items()
        ]
        self.declared.append(typed_dict(own, fields, self.annotations.used))
        return own

    def collapse(self, names: list[str]) -> list[str]:
        for title, count in self._unions.items():
            for kind in ("Doc", "Fields"):
                parts = [f"{title}{kind}{number}" for number in range(1, count + 1)]
                if all(part in names for part in parts):
                    place = min(names.index(part) for part in parts)
                    names = [*names[:place], f"{title}{kind}", *(n for n in names[place:] if n not in parts)]
        return names

    def _always_there(self, each: Mapping[str, Any]) -> bool:
        # A field with a default may be left out of arguments, but it is there in a result.
        return not each.get("optional") or (self.in_result and bool(each.get("default")))


class _ApiStub:
    def __init__(self, functions: Sequence[FunctionDescription], model: DataModel) -> None:
        self._model = model
        self._objects = _AppObjects(model)
        self._annotations = Annotations([table.name for table in model.tables], self._objects)
        self._objects.annotations = self._annotations
        self._names = UniqueNames()
        self._functions = sorted((_function(each) for each in functions), key=_order)
        self._references: set[str] = set()

    def render(self) -> str:
        sections = self._signatures()
        self._annotations.used.data_model = words_of(sections) & self._objects.generated
        trees = [*self._tree("api", "public"), "", *self._tree("internal", "internal")]
        return _HEADER + "\n" + "\n".join([*self._imports(), *sections, *trees]) + "\n"

    def _imports(self) -> list[str]:
        used = self._annotations.used
        lines: list[str] = []
        for module, names in (
            ("typing", used.typing),
            ("typing_extensions", used.extensions),
            ("convexpy", used.convexpy | self._references),
            (".data_model", used.data_model),
        ):
            block = import_lines(module, names, width=WIDTH)
            lines += [*block, ""] if block else []
        return lines

    def _signatures(self) -> list[str]:
        lines: list[str] = []
        for module in dict.fromkeys(function.module for function in self._functions):
            own = [function for function in self._functions if function.module == module]
            self._objects.declared, self._objects.classes = [], []
            stubs = [line for function in own for line in self._stub(function)]
            lines += [f"# {module}{_class_note(self._objects.classes)}", ""]
            for block in self._objects.declared:
                lines += [*block, ""]
            lines += [*stubs, ""]
        return lines

    def _stub(self, function: _Function) -> list[str]:
        described = function.described
        function.reference = self._names.take(f"_{function.module.replace('/', '_')}_{function.name}")
        if not is_name(function.reference):
            function.reference = self._names.take(f"_function{len(function.reference)}")
        reference = _REFERENCES[described.kind]
        self._references.add(reference)
        place = pascal(function.module) + pascal(function.name)
        self._objects.in_result = False
        parameters = self._parameters(described.args, place)
        self._objects.in_result = True
        result = "Any"
        if described.returns is None:
            self._annotations.used.typing.add("Any")
        else:
            result = self._annotations.of(described.returns, place + "Result")
        return [f"@{reference}", *signature(f"def {function.reference}", [parameters], result, width=WIDTH)]

    def _parameters(self, args: ValidatorJson, place: str) -> list[str]:
        if args["type"] != "object":
            self._annotations.used.typing.add("Any")
            return ["**args: Any"]
        named, others = list[str](), False
        for name, each in args["value"].items():
            if not is_name(name):
                others = True
                continue
            annotation = self._annotations.of(each["fieldType"], f"{place}Args{pascal(name)}")
            named.append(f"{name}: {annotation}{' = ...' if each.get('optional') else ''}")
        if others:
            # Names that Python cannot write are passed as one mapping, or with `**`.
            self._annotations.used.typing.add("Any")
            return [*(["*", *named] if named else []), "**others: Any"]
        return ["*", *named] if named else []

    def _tree(self, variable: str, visibility: str) -> list[str]:
        root = _Node()
        for function in self._functions:
            if function.described.visibility == visibility:
                _put(root, function)
        lines = [f"# {variable}", ""]
        self._class(root, f"_{variable.capitalize()}", lines)
        return [*lines, f"{variable}: _{variable.capitalize()}"]

    def _class(self, node: _Node, name: str, lines: list[str]) -> None:
        children = {child: self._names.take(f"{name}_{child}") for child in sorted(node.children)}
        for child, class_name in children.items():
            self._class(node.children[child], class_name, lines)
        lines.append(f"class {name}:" if node.functions or children else f"class {name}: ...")
        lines += [f"    {attribute} = {reference}" for attribute, reference in node.functions.items()]
        lines += [f"    {child}: {class_name}" for child, class_name in children.items()]
        lines.append("")


def _function(described: FunctionDescription) -> _Function:
    module, _, name = described.path.partition(":")
    return _Function(module, name or "default", described)


def _order(function: _Function) -> tuple[str, str, int, str]:
    return (
        function.module,
        function.described.file or "",
        function.described.line or 0,
        function.name,
    )


def _put(root: _Node, function: _Function) -> None:
    """Hang a function into the tree; one that no attribute can reach is called by its name in a string."""
    parts = function.module.split("/")
    if not all(is_name(part) for part in [*parts, function.name]) or function.name.startswith("__"):
        return
    node = root
    for part in parts:
        node = node.children.setdefault(part, _Node())
    node.functions[function.name] = function.reference


def _class_note(classes: Sequence[str]) -> str:
    if not classes:
        return ""
    names = ", ".join(f"`{name}`" for name in classes)
    what = "is a class" if len(classes) == 1 else "are classes"
    return f": {names} {what} of the app, spelled out as what arrives through `api`"
