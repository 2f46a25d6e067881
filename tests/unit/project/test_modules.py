"""Which files are pushed, and that a second look reads only what changed."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from convexpy.errors import ProjectError
from convexpy.project import FunctionsFolder, has_typescript_functions, is_pushed


@pytest.mark.parametrize(
    "path",
    [
        "messages.py",
        "sessions/queries.py",
        "sessions/__init__.py",
        "data/words.txt",
        "requirements.txt",
        "http.py",
    ],
)
def test_pushed(path: str) -> None:
    assert is_pushed(path)


@pytest.mark.parametrize(
    "path",
    [
        "__init__.py",
        "_private.py",
        ".hidden",
        "_generated/api.py",
        "sessions/_x/y.py",
        "__pycache__/a.pyc",
        "test_messages.py",
        "sessions/messages_test.py",
        "conftest.py",
        "messages.py~",
        ".messages.py.swp",
        "#messages.py#",
        "4913",
        "node_modules/x/y.py",
    ],
)
def test_not_pushed(path: str) -> None:
    assert not is_pushed(path)


def test_a_scan_gives_contents_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.py").write_bytes(b"b")
    (tmp_path / "sub" / "a.py").write_bytes(b"a")
    (tmp_path / "_x.py").write_bytes(b"x")
    files = FunctionsFolder(tmp_path).scan()
    assert {path: file.content for path, file in files.items()} == {"b.py": b"b", "sub/a.py": b"a"}
    assert files["b.py"].sha256 == "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"


def test_a_change_that_time_and_size_hide_is_seen_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"1")
    folder = FunctionsFolder(tmp_path)
    before = folder.scan()
    stat = file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert folder.scan() == before
    assert folder.scan(changed=[file])["a.py"].content == b"2"


def test_a_module_beside_a_folder_of_its_name_is_refused_naming_both(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions.py").write_text("")
    FunctionsFolder(tmp_path).scan()
    (tmp_path / "sessions" / "queries.py").write_text("")
    with pytest.raises(ProjectError) as caught:
        FunctionsFolder(tmp_path, label="convex").scan()
    assert caught.value.code == "ModuleAndFolder"
    assert "convex/sessions.py" in caught.value.message
    assert "convex/sessions/" in caught.value.message


def test_typescript_functions_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "_generated").mkdir()
    (tmp_path / "_generated" / "api.js").write_text("")
    (tmp_path / "types.d.ts").write_text("")
    assert not has_typescript_functions(tmp_path)
    (tmp_path / "messages.ts").write_text("")
    assert has_typescript_functions(tmp_path)


def test_requirements_from_elsewhere_are_pushed_as_the_folders_own(tmp_path: Path) -> None:
    folder = tmp_path / "convex"
    folder.mkdir()
    (folder / "a.py").write_text("")
    (folder / "requirements.txt").write_text("replaced")
    (tmp_path / "server.txt").write_text("wanted")
    files = FunctionsFolder(folder, requirements=tmp_path / "server.txt").scan()
    assert list(files) == ["a.py", "requirements.txt"]
    assert files["requirements.txt"].content == b"wanted"
    with pytest.raises(ProjectError, match=r"gone\.txt"):
        FunctionsFolder(folder, requirements=tmp_path / "gone.txt").scan()


def test_what_cannot_be_pushed_is_named_once_and_the_rest_is_pushed(tmp_path: Path) -> None:
    folder, told = tmp_path / "convex", []
    (folder / "sub").mkdir(parents=True)
    (folder / "good.py").write_text("x = 1\n")
    (folder / "sub" / "good.py").write_text("x = 1\n")
    (folder / "dangling.py").symlink_to(tmp_path / "nothing")
    (folder / "loop.py").symlink_to(folder / "loop.py")
    (folder / "around").symlink_to(folder)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "linked").symlink_to(folder / "sub")
    os.mkfifo(folder / "pipe.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket.py"))
        (folder / os.fsdecode(b"na\xffme.py")).write_text("")
        files = FunctionsFolder(folder, warn=told.append)
        assert list(files.scan()) == ["good.py", "linked/good.py", "sub/good.py"]
        assert sorted(text.partition(" is not pushed: ")[0] for text in told) == [
            "convex/around/", "convex/dangling.py", "convex/linked/up/", "convex/loop.py", "convex/na\\udcffme.py",
            "convex/pipe.py", "convex/socket.py", "convex/sub/up/",
        ]  # fmt: skip
        assert "convex/dangling.py is not pushed: it is a link to nothing" in told
        assert "convex/pipe.py is not pushed: it is not a regular file" in told
        told.clear()
        files.scan()
        assert told == []
        (folder / "dangling.py").unlink()
        files.scan()
        (folder / "dangling.py").symlink_to(tmp_path / "nothing")
        files.scan()
        assert told == ["convex/dangling.py is not pushed: it is a link to nothing"]


@pytest.mark.parametrize("broken", ["open", "scandir"])
def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.py").write_text("")
    read_bytes, scandir = Path.read_bytes, os.scandir

    def refuse(path: Any) -> None:
        if "secret" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def reading(path: Path) -> bytes:
        refuse(path)
        return read_bytes(path)

    def scanning(path: str) -> Any:
        refuse(path)
        return scandir(path)

    if broken == "open":
        monkeypatch.setattr(Path, "read_bytes", reading)
    else:
        monkeypatch.setattr(os, "scandir", scanning)
    told: list[str] = []
    assert list(FunctionsFolder(tmp_path, label="convex", warn=told.append).scan()) == ["good.py"]
    assert told == [f"convex/secret/{'a.py' if broken == 'open' else ''} is not pushed: Permission denied"]


def test_a_folder_that_vanishes_while_it_is_read_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.py").write_text("")
    (tmp_path / "sub").mkdir()
    scandir = os.scandir

    def scanning(path: str) -> Any:
        if str(path).endswith("sub"):
            (tmp_path / "sub").rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scanning)
    told: list[str] = []
    assert list(FunctionsFolder(tmp_path, warn=told.append).scan()) == ["good.py"]
    assert told == []
