"""The folders of versions: the one that is live and one on its way are never taken away."""

from __future__ import annotations

from pathlib import Path

from convexpy.services.pushes.sources import SourceStore


def test_only_older_versions_are_swept(tmp_path: Path) -> None:
    store = SourceStore(tmp_path)
    modules = {"a.py": store.add(b"x = 1"), "deep/b.py": store.add(b"y = 2")}
    for version in (1, 2, 3):
        store.materialise(version, modules)
    store.sweep(2)
    assert not store.folder_of(1).exists()
    for version in (2, 3):
        assert (store.folder_of(version) / "deep" / "b.py").read_bytes() == b"y = 2"
    assert store.missing(modules) == []
