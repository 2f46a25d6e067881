"""The URLs for the front end: under the framework's names, in place where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.project import write_client_env

URLS = ("http://127.0.0.1:3210", "http://127.0.0.1:3211")


@pytest.mark.parametrize(
    ("package", "prefix"),
    [
        ("", ""),
        ('{"dependencies": {"next": "1"}}', "NEXT_PUBLIC_"),
        ('{"devDependencies": {"vite": "1"}}', "VITE_"),
    ],
)
def test_names_follow_the_framework(tmp_path: Path, package: str, prefix: str) -> None:
    if package:
        (tmp_path / "package.json").write_text(package)
    file = tmp_path / ".env.local"
    assert write_client_env(tmp_path, file, *URLS, "local")
    lines = file.read_text().splitlines()
    assert lines == [
        "CONVEXPY_DEPLOYMENT=local",
        f"{prefix}CONVEX_URL={URLS[0]}",
        f"{prefix}CONVEX_SITE_URL={URLS[1]}",
    ]
    assert not write_client_env(tmp_path, file, *URLS, "local")


def test_a_name_that_is_there_is_updated_in_place(tmp_path: Path) -> None:
    file = tmp_path / ".env.local"
    file.write_text("CONVEXPY_DEPLOYMENT=staging\nVITE_CONVEX_URL=http://old # where\nOTHER=1\n")
    write_client_env(tmp_path, file, *URLS, "local")
    lines = file.read_text().splitlines()
    assert lines[:3] == ["CONVEXPY_DEPLOYMENT=staging", f"VITE_CONVEX_URL={URLS[0]} # where", "OTHER=1"]
