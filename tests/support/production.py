"""Servers as `convexpy serve` starts them: no plain keys on disk but the first one, which waits in a file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from support.processes import ServerProcess

FLAGS = ("--production", "--redact-errors")


class ProductionServer(ServerProcess):
    """One production server; its first admin key is read from where the log says that it is."""

    def __init__(self, data: Path, *arguments: str, **options: Any) -> None:
        super().__init__(data, *FLAGS, *arguments, **options)

    @property
    def admin_key(self) -> str:
        """The key of the first start."""
        return (self.data / "admin-key").read_text().strip()


def build_wheel(folder: Path, name: str, version: str, source: str) -> Path:
    """Make a wheel of one module; return its path."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*contents, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in [*contents.items(), (f"{info}/RECORD", record)]:
            archive.writestr(path, text)
    return file
