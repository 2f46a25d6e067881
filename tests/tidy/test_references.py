"""References in docstrings and documents lead somewhere: sections of ARCHITECTURE.md, files of the project."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "src", ROOT / "cli"]
DOCUMENTS = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
_ANY_REFERENCE = re.compile(r"ARCHITECTURE\.md(?:, (section \d+))?")
_PARAGRAPH = re.compile(r"(?<![\d.\"'/-])\b\d\.\d+\.\d+\b(?![\d.\"'])")
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|mjs))`")
ROOTS = [ROOT, ROOT / "src" / "convexpy", ROOT / "cli" / "convexpy_cli", ROOT / "docs", ROOT / "tests"]
OF_APPS = (
    "convex/",
    "src/App",
    "frontend/",
    "_generated/",
    "scripts/dev",
    "api/",
    "app/",
    "sessions/",
    "lib/",
    "tests/test_",
)


def python_files() -> list[Path]:
    return [path for source in SOURCES for path in source.rglob("*.py")]


def test_sections_of_the_architecture_exist() -> None:
    headings = re.findall(r"^## (\d+)\. ", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert headings == [str(number) for number in range(1, len(headings) + 1)], "sections are numbered"
    dangling = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in [*python_files(), *DOCUMENTS]
        for found in _ANY_REFERENCE.finditer(path.read_text())
        if path.suffix == ".py" and (found[1] is None or found[1].removeprefix("section ") not in headings)
    ]
    assert dangling == []


def test_no_comment_refers_to_numbered_paragraphs_of_another_page() -> None:
    comments = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in python_files()
        for line in path.read_text().splitlines()
        if line.strip().startswith(("#", '"""')) and _PARAGRAPH.search(line)
    ]
    assert comments == []


def test_files_that_documents_name_exist() -> None:
    missing = sorted(
        {
            f"{document.relative_to(ROOT)}: {name}"
            for document in [
                ROOT / "ARCHITECTURE.md",
                ROOT / "CONTRIBUTING.md",
                *(ROOT / "docs" / "internals").glob("*.md"),
            ]
            if document.exists()
            for name in _PATH.findall(document.read_text())
            if not name.startswith(OF_APPS) and not any((root / name).exists() for root in ROOTS)
        }
    )
    assert missing == []


def test_files_that_docstrings_name_exist() -> None:
    missing = sorted(
        {
            f"{path.relative_to(ROOT)}: {name}"
            for path in python_files()
            for name in _PATH.findall(path.read_text())
            if not name.startswith(OF_APPS) and not any((root / name).exists() for root in ROOTS)
        }
    )
    assert missing == []
