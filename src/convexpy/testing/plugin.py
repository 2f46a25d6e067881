"""The pytest plugin: the fixture `convex`, a fresh in-memory deployment of the app.

The app is the functions folder of the project: `convex/` below pytest's root, or what `convexpy_functions` says in
pytest's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convexpy.errors import ProjectError
from convexpy.testing._client import LocalTest
from convexpy.testing._local import LocalDeployment, load_app
from convexpy.testing._surface import ConvexTest

_folder: Path | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names the functions folder."""
    parser.addini("convexpy_functions", "the functions folder, relative to pytest's root", default="convex")
    parser.addini("convexpy_function_case", "snake or camel, as in convexpy.toml", default="snake")


def pytest_configure(config: pytest.Config) -> None:
    """Remember the functions folder, and import test modules so that `convex/` stays off `sys.path`."""
    global _folder
    _folder = config.rootpath / str(config.getini("convexpy_functions"))
    if config.option.importmode == "prepend":
        config.option.importmode = "importlib"


def functions_folder() -> Path:
    """Return the app's functions folder.

    Raises:
        ProjectError: there is none.
    """
    folder = _folder or Path("convex")
    if not folder.is_dir():
        raise ProjectError(
            f"there is no functions folder {folder}", hint="set convexpy_functions in pytest's configuration"
        )
    return folder


def app_module(name: str, /) -> Any:
    """Return a module of the app: `app_module("sessions")`, `app_module("sessions.queries")`."""
    _, app = load_app(functions_folder())
    path = name.replace(".", "/")
    if path not in app.modules:
        raise ProjectError(f"the app has no module {name!r}; there are {', '.join(sorted(app.modules))}")
    return app.modules[path]


@pytest.fixture
def convex(request: pytest.FixtureRequest) -> Iterator[ConvexTest]:
    """A fresh in-memory deployment of the app."""
    camel = request.config.getini("convexpy_function_case") == "camel"
    local = LocalDeployment(functions_folder(), camel=camel)
    try:
        yield LocalTest(local)
    finally:
        local.close()
