"""A push of an edited app imports what may differ, in a process that holds nothing of older versions (`executors/trunk.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for

APP = {
    "shared.py": "import os\nPID = os.getpid()\n",
    "edited.py": """
import os
from convexpy import query
from . import shared
PID = os.getpid()
VALUE = 1

@query
def pids(ctx):
    return [PID, shared.PID]
""",
    "importer.py": """
from convexpy import query
from . import edited
SEEN = edited.VALUE

@query
def seen(ctx):
    return SEEN
""",
    "registry.py": """
from convexpy import query
names = []

@query
def registered(ctx):
    return names
""",
    "plugin.py": "from .registry import names\nnames.append('first')\n",
    "reader.py": """
from pathlib import Path
from convexpy import query
HERE = Path(__file__).parent
AT_IMPORT = (HERE / "data.txt").read_text()

@query
def read(ctx):
    return [AT_IMPORT, (HERE / "data.txt").read_text()]
""",
    "data.txt": "one",
}


class Editor:
    """An app that is edited file by file, on a server of its own."""

    def __init__(self, server: ServerProcess, **more: str) -> None:
        self.server = server
        self.files = {**APP, **{f"{name}.py": text for name, text in more.items()}}
        self.server.push_ok(self.files)

    def save(self, path: str, text: str | None) -> None:
        """Push with another text of one file; None removes it."""
        self.files.pop(path, None)
        if text is not None:
            self.files[path] = text
        self.server.push_ok(self.files)

    def ask(self, path: str) -> Any:
        """Return the value of a query."""
        return self.server.call("query", path)

    def is_partial(self) -> bool:
        """Return whether the live version has imported the edited module, but not all others, itself."""
        edited, shared = self.ask("edited:pids")
        return bool(edited != shared)

    def save_until_partial(self, *paths: str) -> None:
        """Save files until a version is imported in part: what is kept for that is imported beside what is served."""
        number = 0

        def partial() -> bool:
            nonlocal number
            number += 1
            for path in paths:
                self.save(path, f"{APP[path]}\n# {number}\n")
            return self.is_partial()

        wait_for(partial, what="a version that is imported in part")


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    server = ServerProcess(tmp_path / "data")
    yield Editor(server)
    server.close()


def test_importers_of_what_is_edited_see_it(editor: Editor) -> None:
    assert not editor.is_partial()
    editor.save_until_partial("edited.py")
    for number in range(2, 5):
        editor.save("edited.py", APP["edited.py"].replace("VALUE = 1", f"VALUE = {number}"))
        assert editor.is_partial()
        assert editor.ask("importer:seen") == number
        assert editor.ask("reader:read") == ["one", "one"]


def test_what_an_edited_module_left_elsewhere_is_gone(editor: Editor) -> None:
    editor.save_until_partial("edited.py", "plugin.py")
    for name in ("second", "third"):
        editor.save("plugin.py", APP["plugin.py"].replace("first", name))
        assert editor.is_partial()
        assert editor.ask("registry:registered") == [name]
    editor.save("plugin.py", None)
    assert editor.ask("registry:registered") == []


def test_everything_is_imported_after_any_other_change(editor: Editor) -> None:
    editor.save_until_partial("edited.py")
    editor.save("data.txt", "two")
    assert editor.ask("reader:read") == ["two", "two"]
    editor.save_until_partial("edited.py")
    editor.save("new.py", "x = 1\n")
    assert not editor.is_partial()
    editor.save_until_partial("edited.py")
    editor.save("registry.py", APP["registry.py"] + "names.append('own')\n")
    assert editor.ask("registry:registered") == ["own", "first"]


def test_imports_by_names_that_are_not_in_the_code_are_noticed(tmp_path: Path) -> None:
    hidden = """
import builtins
from convexpy import query
try:
    SEEN = getattr(builtins, "__imp" + "ort__")("edi" + "ted", globals(), None, ["VALUE"], 1).VALUE
except ImportError:
    SEEN = 0

@query
def seen(ctx):
    return SEEN
"""
    server = ServerProcess(tmp_path / "data")
    editor = Editor(server, hidden=hidden)
    for number in range(2, 6):
        editor.save("edited.py", APP["edited.py"].replace("VALUE = 1", f"VALUE = {number}"))
        assert editor.ask("hidden:seen") == number
        assert not editor.is_partial()
    server.close()


def test_an_edit_that_does_not_import_is_told_and_repaired(editor: Editor) -> None:
    editor.save_until_partial("edited.py")
    status, answer = editor.server.push(
        {**editor.files, "edited.py": "import convexpy\nraise ValueError('oh')\n"}
    )
    assert (status, answer["message"], answer["location"]["line"]) == (400, "ValueError: oh", 2)
    editor.save("edited.py", APP["edited.py"].replace("VALUE = 1", "VALUE = 7"))
    assert editor.is_partial()
    assert editor.ask("importer:seen") == 7
