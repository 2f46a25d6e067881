"""How functions get their paths, their validators and their errors."""

import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from convexpy import ArgumentError, Int64, ReturnsError, v
from convexpy.errors import ProjectError, set_source_root
from convexpy.functions import FunctionDefinition, collect, importing, path_of
from convexpy.values import encode_id

USER = encode_id(10001, bytes(16))


class App:
    """Modules made of text, imported as a loader would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: dict[str, types.ModuleType] = {}

    def add(self, path: str, source: str) -> types.ModuleType:
        name = "made_up_app." + path.replace("/", ".")
        module = types.ModuleType(name)
        sys.modules[name] = module
        self.modules[path] = module
        file = self.folder / f"{path}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            "from convexpy import *\nfrom typing import *\n" + textwrap.dedent(source).strip() + "\n"
        )
        module.__file__ = str(file)
        with importing(path):
            exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
        return module

    def collect(self, *, camel: bool = False) -> dict[str, FunctionDefinition]:
        return collect(self.modules, camel=camel)

    def one(self, source: str, *, camel: bool = False) -> FunctionDefinition:
        self.add("m", source)
        (definition,) = self.collect(camel=camel).values()
        return definition


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.chdir(tmp_path)
    yield App(tmp_path)
    for name in [name for name in sys.modules if name.startswith("made_up_app.")]:
        del sys.modules[name]


def test_paths_come_from_variables_and_name(app: App) -> None:
    app.add("messages", '@query\ndef get(ctx): ...\n@query(name="list")\ndef list_(ctx): ...')
    app.add(
        "sessions/queries", '@internal_mutation\ndef get(ctx): ...\n@query(name="default")\ndef x(ctx): ...'
    )
    found = app.collect()
    assert list(found) == [
        "messages:get",
        "messages:list",
        "sessions/queries:get",
        "sessions/queries:default",
    ]
    assert (found["sessions/queries:get"].kind, found["sessions/queries:get"].visibility) == (
        "mutation",
        "internal",
    )
    assert path_of(app.modules["messages"].list_) == "messages:list"
    assert path_of("sessions/queries.js") == "sessions/queries:default"


def test_importing_a_function_elsewhere_does_not_register_it_again(app: App) -> None:
    app.add("a", "@query\ndef get(ctx): ...")
    app.add("b", "from made_up_app.a import get\nother = get")
    assert list(app.collect()) == ["a:get"]


def test_a_function_belongs_to_the_module_whose_import_made_it(app: App) -> None:
    app.add("lib/crud", "def make():\n    @query\n    def get(ctx): ...\n    return get")
    app.add("users", "from made_up_app.lib.crud import make\nread = make()")
    app.add("notes", "from made_up_app.lib.crud import make\nread = make()")
    assert list(app.collect()) == ["users:read", "notes:read"]


def test_a_named_function_needs_no_variable(app: App) -> None:
    app.add("a", '[query(name=n)(lambda ctx: n) for n in ("x", "y")]')
    assert list(app.collect()) == ["a:x", "a:y"]


def test_two_functions_of_one_path_are_named_both(app: App) -> None:
    app.add("a", '@query\ndef get(ctx): ...\n@query(name="get")\ndef other(ctx): ...')
    with pytest.raises(ProjectError) as caught:
        app.collect()
    assert caught.value.message == "two functions have the path 'a:get': a.py:4 and a.py:6"
    assert str(caught.value.location) == "a.py:6"


def test_camel_case_is_for_the_outside_only(app: App) -> None:
    source = """
    @query
    def list_mine(ctx, session_id: str, doc: dict = {}, _x: int = 1, keep: Annotated[int, v.arg("keep_it")] = 0):
        return [session_id, doc, keep]
    @mutation(args={"user_name": v.string()})
    def set_name(ctx, /, **args): return args
    """
    module = app.add("m", source)
    found = app.collect(camel=True)
    assert list(found) == ["m:listMine", "m:setName"]
    definition = found["m:listMine"]
    assert [each.name for each in definition.describe().params] == ["sessionId", "doc", "_x", "keep_it"]
    args = {"sessionId": "s", "doc": {"a_b": 1}, "keep_it": 2}
    assert definition.invoke(None, args) == ["s", {"a_b": 1}, 2]
    assert definition.to_wire_names({"session_id": "s", "keep": 1}) == {"sessionId": "s", "keep_it": 1}
    assert found["m:setName"].invoke(None, {"userName": "a"}) == {"user_name": "a"}
    assert module.list_mine(None, session_id="s") == ["s", {}, 0]


def test_camel_case_collisions_are_errors(app: App) -> None:
    app.add("m", "@query\ndef a_b(ctx): ...\n@query\ndef aB(ctx): ...")
    with pytest.raises(ProjectError, match="two functions have the path 'm:aB'"):
        app.collect(camel=True)
    app.modules.clear()
    app.add("n", "@query\ndef f(ctx, a_b, aB): ...")
    with pytest.raises(ProjectError, match="two arguments are called 'aB'"):
        app.collect(camel=True)


@pytest.mark.parametrize(
    ("source", "words", "line"),
    [
        ("@query\nasync def f(ctx): ...", "a query is a plain def, not async def", 4),
        ("@internal_mutation\nasync def f(ctx): ...", "a mutation is a plain def, not async def", 4),
        ("@query\ndef f(): ...", "takes ctx first", 4),
        ("@query\ndef f(*, ctx): ...", "takes ctx first", 4),
        ("@query\ndef f(ctx, x, /): ...", "parameter 'x' is positional-only", 4),
        ("@query\ndef f(ctx, *x): ...", r"\*x has no meaning", 4),
        ("@query\ndef f(ctx, x: set[str]): ...", "parameter 'x': .* has no Convex type", 4),
        ("@query\ndef f(ctx) -> set[str]: ...", "the return annotation: .* has no Convex type", 4),
        (
            "@query\ndef f(ctx, x: Annotated[str, v.optional(v.string())]): ...",
            "optional and has no default",
            4,
        ),
        (
            "@query(args={'x': v.optional(v.null())})\ndef f(ctx, x): ...",
            "'x' is optional and has no default",
            4,
        ),
        ("@query(args={'y': v.null()})\ndef f(ctx, x): ...", "parameter 'x' is missing in args=", 4),
        ("@query(args={'x': v.null(), 'y': v.null()})\ndef f(ctx, x): ...", "args= names 'y'", 4),
        ("@query(args={'x': 'string'})\ndef f(ctx, x): ...", "must be a validator", 4),
        ("@query(args='x')\ndef f(ctx, x): ...", "args= takes", 4),
        (
            "if TYPE_CHECKING:\n    from x import Y\n@query\ndef f(ctx, x: 'Y'): ...",
            "parameter 'x' has an annotation that cannot be read at run time",
            6,
        ),
        ("@query(returns='x')\ndef f(ctx): ...", "returns= takes a validator", 3),
        ("@query(name='a b')\ndef f(ctx): ...", "cannot be the name of a function", 3),
        ("query(5)", "a decorator takes a function", 3),
        ("@query\n@query\ndef f(ctx): ...", "a decorator takes a function", 3),
    ],
)
def test_wrong_functions_say_where_they_are(app: App, source: str, words: str, line: int) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        app.one(source)
    assert str(caught.value.location) == f"m.py:{line}"


def test_names_that_only_ctx_uses_may_be_missing_at_run_time(app: App) -> None:
    definition = app.one("@query\ndef f(ctx: 'Nowhere', x: 'int') -> 'int': return x")
    assert definition.invoke(None, {"x": 1}) == 1


def test_annotations_of_later_names_are_read(app: App) -> None:
    source = "@query\ndef f(ctx, x: 'Later'): return x\nclass Later(TypedDict):\n    a: int"
    assert app.one(source).args == v.object(x=v.object(a=v.int()))


def test_arguments_are_checked_converted_and_defaulted(app: App) -> None:
    definition = app.one(
        """
        from enum import Enum
        class Color(Enum):
            RED = "red"
        @query
        def f(ctx, n: float, color: Color, tags: tuple[str, ...] = (), later: str = UNSET):
            return [repr(n), color is Color.RED, repr(tags), later is UNSET]
        """
    )
    assert definition.invoke(None, {"n": 3, "color": "red"}) == ["3.0", True, "()", True]
    assert definition.invoke(None, {"n": 3, "color": "red", "tags": ["a"], "later": ""}) == [
        "3.0",
        True,
        "('a',)",
        False,
    ]
    for args, words in (
        ({"color": "red"}, "missing the required field `n`"),
        ({"n": 1, "color": "red", "x": 1}, "extra field `x`"),
        ({"n": True, "color": "red"}, r"Path: \.n\nValue: true\nValidator: v\.number\(\)"),
        ({"n": Int64(1), "color": "red"}, r"Path: \.n"),
        ({"n": 1, "color": "blue"}, r"Path: \.color"),
        ({"n": 1, "color": "red", "tags": None}, r"Path: \.tags"),
    ):
        with pytest.raises(ArgumentError, match=words):
            definition.invoke(None, args)  # type: ignore[arg-type]


def test_ids_are_checked_against_table_numbers(app: App) -> None:
    definition = app.one('@query(args={"user": v.id("users")})\ndef f(ctx, user): return user')
    assert definition.invoke(None, {"user": USER}, {"users": 10001}.get) == USER
    with pytest.raises(ArgumentError, match="from another table"):
        definition.invoke(None, {"user": USER}, {"users": 10002}.get)


def test_arguments_may_have_any_names_and_be_taken_as_a_dict(app: App) -> None:
    open_ended = app.one("@query\ndef f(ctx, /, **args): return args")
    assert open_ended.invoke(None, {"ctx": 1, "no identifier": 2}) == {"ctx": 1, "no identifier": 2}
    assert open_ended.describe().args == {"type": "any"}


def test_some_arguments_checked_and_the_rest_taken(app: App) -> None:
    definition = app.one("@query\ndef f(ctx, /, n: int, **rest): return [n, rest]")
    assert definition.invoke(None, {"n": 1, "x": 2}) == [1, {"x": 2}]
    with pytest.raises(ArgumentError, match=r"Path: \.n"):
        definition.invoke(None, {"n": "a", "x": 2})


def test_an_argument_may_be_called_ctx(app: App) -> None:
    definition = app.one("@query\ndef f(_, /, ctx: int): return ctx")
    assert definition.invoke(None, {"ctx": 5}) == 5


def test_results_are_canonical_and_checked(app: App) -> None:
    definition = app.one("RESULT = [None]\n@query\ndef f(ctx) -> list[float] | None: return RESULT[0]")
    result = app.modules["m"].RESULT
    for given, plain in ((None, None), ((1.0, 2.5), [1, 2.5]), ([], [])):
        result[0] = given
        assert repr(definition.invoke(None, {})) == repr(plain)
    result[0] = ["a"]
    with pytest.raises(ReturnsError, match="Value does not match validator") as caught:
        definition.invoke(None, {})
    assert caught.value.code == "ReturnsValidationError"
    result[0] = [{1}]
    with pytest.raises(ReturnsError, match=r"^m:f returned an unsupported value at \$\[0\]: set") as caught:
        definition.invoke(None, {})
    assert caught.value.code == "UnsupportedValue"


def test_unset_as_a_result_is_null_and_absent_in_objects(app: App) -> None:
    app.add("m", "@query\ndef f(ctx): return UNSET\n@query\ndef g(ctx): return {'a': UNSET}")
    found = app.collect()
    assert found["m:f"].invoke(None, {}) is None
    assert found["m:g"].invoke(None, {}) == {}


def test_returns_wins_over_the_annotation(app: App) -> None:
    definition = app.one("@query(returns=v.string())\ndef f(ctx) -> int: return 'a'")
    assert definition.invoke(None, {}) == "a"
    assert app.one("@query\ndef f(ctx) -> Any: return 1").returns is None


def test_description_is_what_code_generators_need(app: App) -> None:
    definition = app.one("@internal_action(timeout=1500)\nasync def f(ctx, n: int, s: str = '') -> None: ...")
    described = msgspec.json.decode(msgspec.json.encode(definition.describe()))
    assert described == {
        "path": "m:f",
        "kind": "action",
        "visibility": "internal",
        "args": {
            "type": "object",
            "value": {
                "n": {"fieldType": {"type": "number", "int": True}, "optional": False},
                "s": {"fieldType": {"type": "string"}, "optional": True, "default": True},
            },
        },
        "returns": {"type": "null"},
        "file": "m.py",
        "line": 4,
        "isAsync": True,
        "params": [{"name": "n", "required": True}, {"name": "s", "required": False}],
        "timeoutS": 1.5,
        "doc": None,
    }


def test_functions_are_plain_python_with_a_ctx(app: App) -> None:
    module = app.add("m", "@query\ndef f(ctx, n: int = 1):\n    'Doc.'\n    return [ctx, n, {1}]")
    assert module.f("ctx", n="not checked") == ["ctx", "not checked", {1}]
    assert (module.f.__name__, module.f.__doc__) == ("f", "Doc.")
    assert list(inspect.signature(module.f).parameters) == ["ctx", "n"]


def test_a_module_variable_that_answers_every_name_is_no_function(app: App) -> None:
    app.add(
        "m", "from unittest.mock import MagicMock\nmock = MagicMock()\nref = api.a.b\n@query\ndef f(ctx): ..."
    )
    assert list(app.collect()) == ["m:f"]


def test_imports_nest(app: App) -> None:
    with importing("outer"):
        app.add("inner", "@query\ndef f(ctx): ...")
        module = types.ModuleType("made_up_app.outer")
        exec("from convexpy import *\n@query\ndef g(ctx): ...", module.__dict__)
    app.modules["outer"] = module
    assert list(app.collect()) == ["inner:f", "outer:g"]


def test_a_decorator_between_may_hide_that_a_function_is_awaited(app: App) -> None:
    definition = app.one(
        """
        import functools
        def logged(f):
            @functools.wraps(f)
            def call(*args, **kwargs):
                return f(*args, **kwargs)
            return call
        @action
        @logged
        async def f(ctx, n: int) -> int: return n
        """
    )
    assert definition.is_async
    assert [each.name for each in definition.params] == ["n"]


def test_files_are_named_relative_to_the_source_root(app: App, tmp_path: Path) -> None:
    set_source_root(tmp_path.parent)
    try:
        assert app.one("@query\ndef f(ctx): ...").describe().file == f"{tmp_path.name}/m.py"
    finally:
        set_source_root(None)
