"""Which modules are imported again after an edit: those that may need an edited one, by the names in their code."""

from __future__ import annotations

import pytest

from convexpy.sandbox.loading.importers import module_of, needing

SOURCES = {
    "messages": "from . import users",
    "users": "from .lib.names import proper",
    "lib/names": "import re",
    "lib/dates": "import datetime",
    "reports": "def late():\n    from .lib import dates\n    return dates",
    "things": "from ._generated.data_model import Doc",
    "schema": "from convexpy import define_schema",
    "dynamic": "import importlib\nimportlib.import_module('.x', __package__)",
    "package": "",
    "package/inside": "",
}


@pytest.mark.parametrize(
    ("edited", "others"),
    [
        ("lib/names", {"users", "messages"}),
        ("lib/dates", {"reports"}),
        ("messages", set()),
        ("schema", {"things"}),
        ("package", {"package/inside"}),
        ("gone", set()),
    ],
)
def test_who_needs_what(edited: str, others: set[str]) -> None:
    codes = {name: compile(source, name, "exec") for name, source in SOURCES.items()}
    assert needing({edited}, codes) - {edited} == others | {"dynamic"}


def test_what_does_not_compile_is_left_with_those_that_need_it() -> None:
    codes = {
        "broken": None,
        "user": compile("from . import broken", "user", "exec"),
        "other": compile("", "o", "exec"),
    }
    assert needing(set(), codes) == {"broken", "user"}


def test_names_of_modules() -> None:
    assert [module_of(file) for file in ("a.py", "a/b.py", "a/__init__.py")] == ["a", "a/b", "a"]
