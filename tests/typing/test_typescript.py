"""Types for front ends: what official clients may and may not do with an app, asked of the TypeScript compiler.

The app in `frontend/app` has every kind of validator, table and function. `frontend/src/right.tsx` must pass,
and of `wrong.tsx` every marked line must be refused.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.npm import installed_clients

from convexpy.project import analyze, open_project
from convexpy.project.codegen import render_files, render_for, write_files
from convexpy.protocol.app_description import AppDescription
from convexpy.values import Int64, to_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FRONTEND = Path(__file__).parent / "frontend"
STRICT = {
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noUncheckedIndexedAccess": True,
    "verbatimModuleSyntax": True,
    "target": "es2022",
    "lib": ["es2022", "dom"],
    "jsx": "react-jsx",
    "types": [],
    "noEmit": True,
    # Generated files are declarations, which would not be looked at otherwise.
    "skipLibCheck": False,
}
RESOLUTIONS = {
    "bundler": {"module": "esnext", "moduleResolution": "bundler"},
    "node16": {"module": "node16", "moduleResolution": "node16"},
}


@pytest.fixture
def front_end(tmp_path: Path) -> Path:
    """The app with its generated files, sources that use them, and the npm packages."""
    shutil.copytree(FRONTEND / "app", tmp_path, dirs_exist_ok=True)
    shutil.copytree(FRONTEND / "src", tmp_path / "src")
    project = open_project(tmp_path)
    write_files(project.functions, render_for(project, analyze(project)))
    return with_packages(tmp_path)


def with_packages(folder: Path) -> Path:
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(installed_clients() / "node_modules")
    return folder


def node(folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the npm packages, or Node itself."""
    program = "node" if command == "node" else str(folder / "node_modules" / ".bin" / command)
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=500, check=False
    )


def compiler_says(folder: Path, resolution: str, *include: str) -> str:
    options = {**STRICT, **RESOLUTIONS[resolution]}
    settings = {"compilerOptions": options, "include": list(include or ("src", "convex"))}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    done = node(folder, "tsc", "-p", ".")
    return f"{done.stdout}{done.stderr}exit {done.returncode}"


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_right_code_passes_and_marked_lines_are_refused(front_end: Path, resolution: str) -> None:
    assert compiler_says(front_end, resolution) == "exit 0"


def test_a_lost_type_is_noticed(front_end: Path) -> None:
    """The checks would be worth nothing if the compiler did not find the files, or found `any` in them."""
    declared = front_end / "convex" / "_generated" / "api.d.ts"
    text = declared.read_text()
    declared.write_text(text.replace('Array<Doc<"messages">>', "any"))
    said = compiler_says(front_end, "bundler")
    assert "src/right.tsx" in said, said
    assert "src/wrong.tsx" in said, said
    assert "Unused '@ts-expect-error' directive" in said, said


USE = """
import { getFunctionName } from "convex/server";
import { api, internal } from "./convex/_generated/api.js";

const found = [api.messages.list, api.kinds.default, api.shop.stock.queries.get, internal.messages.sweep];
console.log(JSON.stringify(found.map(getFunctionName)));
"""
NAMES = ["messages:list", "kinds", "shop/stock/queries:get", "messages:sweep"]


def test_references_name_functions_in_node(front_end: Path) -> None:
    (front_end / "use.js").write_text(USE)
    done = node(front_end, "node", "use.js")
    assert (json.loads(done.stdout or "null"), done.stderr) == (NAMES, "")


def test_references_name_functions_in_a_bundle(front_end: Path) -> None:
    # Without an ending, as bundlers allow.
    (front_end / "use.ts").write_text(USE.replace("api.js", "api"))
    bundled = node(front_end, "esbuild", "use.ts", "--bundle", "--format=esm", "--outfile=bundle.mjs")
    assert bundled.returncode == 0, bundled.stderr
    done = node(front_end, "node", "bundle.mjs")
    assert (json.loads(done.stdout or "null"), done.stderr) == (NAMES, "")


# Descriptions that nobody wrote

FIELDS = [
    "a",
    "body",
    "sessionId",
    "class",
    "two words",
    "it's",
    'say "x"',
    "1a",
    "12",
    "aVeryLongNameOfAField",
]
WORDS = [
    "pending",
    "it's",
    'say "hi"',
    "both ' and \"",
    "a\nb",
    "\\",
    "数据",
    "a much longer literal than others",
]
LITERALS = [*WORDS, 1, -3, 2.5, 1e-7, 1e30, True, False, to_json(Int64(-5)), to_json(float("inf"))]
TABLES = ["things", "kinds", "anything", "notInTheSchemaAndLong", "_storage"]
SCALARS = ["string", "number", "bigint", "boolean", "null", "bytes"]


class Made:
    """Makes descriptions; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def validator(self, depth: int = 0) -> dict[str, Any]:
        inner = ["array", "object", "object", "record", "union", "union", "page"] if depth < 4 else []
        kind = self._random.choice(["scalar", "scalar", "id", "literal", *inner])
        if kind == "scalar":
            return {"type": self._random.choice(SCALARS)}
        if kind == "id":
            return {"type": "id", "tableName": self._random.choice(TABLES)}
        if kind == "literal":
            return {"type": "literal", "value": self._random.choice(LITERALS)}
        if kind == "array":
            return {"type": "array", "value": self.validator(depth + 1)}
        if kind == "record":
            keys = self._random.choice([{"type": "string"}, {"type": "id", "tableName": "things"}])
            return {"type": "record", "keys": keys, "values": {"fieldType": self.validator(depth + 1)}}
        if kind == "union":
            members = [self.validator(depth + 1) for _ in range(self._random.randint(1, 6))]
            return {"type": "union", "value": members}
        return self.page(depth) if kind == "page" else self.object(depth)

    def object(self, depth: int = 0) -> dict[str, Any]:
        names = self._random.sample(FIELDS, self._random.randint(0, 4))
        fields = {
            name: {"fieldType": self.validator(depth + 1), "optional": self._random.random() < 0.3}
            for name in names
        }
        return {"type": "object", "value": fields}

    def page(self, depth: int) -> dict[str, Any]:
        page = {"fieldType": {"type": "array", "value": self.validator(depth + 1)}}
        return {
            "type": "object",
            "value": {"page": page},
            "name": "PaginationResult",
            "module": "convexpy",
        }

    def table(self, validator: dict[str, Any]) -> dict[str, Any]:
        return {"validator": validator, "indexes": [], "searchIndexes": [], "vectorIndexes": []}

    def app(self) -> AppDescription:
        kinds = {"type": "union", "value": [self.object(), self.object()]}
        tables = {"things": self.object(), "kinds": kinds, "anything": {"type": "any"}}
        functions = [
            {
                "path": f"{module}:{name}",
                "kind": self._random.choice(["query", "mutation", "action"]),
                "visibility": self._random.choice(["public", "internal"]),
                "args": self.object(),
                "returns": self.validator(),
            }
            for module in ("messages", "sessions", "sessions/queries", "a-b/my.module")
            for name in ("list", "default", "queries", "aVeryLongNameOfAFunctionIndeed")
        ]
        schema = {
            "tables": {name: self.table(each) for name, each in tables.items()},
            "strictTableNames": self._random.random() < 0.5,
        }
        described = {"schema": schema if self._random.random() < 0.9 else None, "functions": functions}
        return msgspec.convert(described, AppDescription)


def test_whatever_is_described_compiles(tmp_path: Path) -> None:
    with_packages(tmp_path)
    for seed in range(25):
        files = render_files(Made(seed).app(), python=False, typescript=True)
        write_files(tmp_path, files, folder=f"made/{seed}")
    assert compiler_says(tmp_path, "bundler", "made") == "exit 0"
