"""`convexpy.toml`, or `[tool.convexpy]` of `pyproject.toml`: read, checked, with the place of every mistake.

An unknown key is a warning with a suggestion; a wrong type is an error that names line and column.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError, SourceLocation
from convexpy.errors.texts import read_text

CONFIG_FILE = "convexpy.toml"

# What a value may be: a type, a tuple of allowed words, or "strings" for a list of strings.
_Kind = type | tuple[Any, ...] | str
_SECTIONS: dict[str, dict[str, _Kind]] = {
    "project": {"name": str, "functions": str, "requires-convexpy": str, "function-case": ("snake", "camel")},
    "deployment": {"default": str},
    "dev": {
        "port": int,
        "site-port": int,
        "allow-host": "strings",
        "allow-origin": "strings",
        "typecheck": ("enable", "try", "disable"),
        "tail-logs": ("always", "pause-on-deploy", "disable"),
        "watch-extra": "strings",
        "poll": ("auto", True, False),
        "start": str,
    },
    "deploy": {
        "cmd": str,
        "cmd-url-env-var": str,
        "typecheck": ("enable", "try", "disable"),
        "large-table-documents": int,
        "require-clean-git": bool,
    },
    "codegen": {"python": bool, "typescript": ("auto", True, False)},
    "typecheck": {"checker": str},
    "python": {"requirements": str},
    "env": {"required": "strings", "client-file": str},
    "output": {"editor": str},
}
_DEPLOYMENT: dict[str, _Kind] = {"url": str, "site-url": str, "production": bool, "protected": bool}


@dataclass(frozen=True)
class NamedDeployment:
    """`[deployments.NAME]`: a server that this project may be pushed to."""

    name: str
    url: str
    site_url: str | None = None
    production: bool = False
    protected: bool = False


@dataclass(frozen=True)
class Config:
    """The project's configuration with defaults filled in."""

    file: Path | None = None
    name: str | None = None
    functions: str = "convex"
    function_case: str = "snake"
    default_deployment: str = "local"
    deployments: Mapping[str, NamedDeployment] = field(default_factory=dict[str, NamedDeployment])
    port: int | None = None
    site_port: int | None = None
    allow_host: tuple[str, ...] = ()
    allow_origin: tuple[str, ...] = ()
    typecheck: str = "try"
    tail_logs: str = "pause-on-deploy"
    watch_extra: tuple[str, ...] = ()
    poll: str | bool = "auto"
    start: str = ""
    deploy_cmd: str = ""
    deploy_cmd_url_env_var: str = ""
    deploy_typecheck: str = "enable"
    large_table_documents: int = 100_000
    require_clean_git: bool = False
    codegen_python: bool = True
    codegen_typescript: str | bool = "auto"
    checker: str = "auto"
    requirements: str | None = None
    required_env: tuple[str, ...] = ()
    client_file: str = ".env.local"
    warnings: tuple[str, ...] = ()


def read_config(root: Path) -> Config:
    """Return the configuration of the project in `root`; defaults if it has none.

    Raises:
        ProjectError: `ConfigInvalid`, with line and column.
    """
    own = root / CONFIG_FILE
    pyproject = root / "pyproject.toml"
    section = _tool_section(pyproject)
    if own.is_file() and section is not None:
        raise _invalid(
            f"both {CONFIG_FILE} and [tool.convexpy] of pyproject.toml exist",
            SourceLocation(
                "pyproject.toml", _line_of(read_text(pyproject, only_utf8=True), ["tool", "convexpy"], None)
            ),
            hint="keep one of them",
        )
    if own.is_file():
        text = read_text(own, only_utf8=True)
        return _checked(_Source(own, text, ()), _parse(own.name, text))
    if section is not None:
        text = read_text(pyproject, only_utf8=True)
        return _checked(_Source(pyproject, text, ("tool", "convexpy")), section)
    return Config()


@dataclass(frozen=True)
class _Source:
    file: Path
    text: str
    prefix: tuple[str, ...]

    def location(self, path: tuple[str, ...]) -> SourceLocation:
        line, column = _position(self.text, [*self.prefix, *path[:-1]], path[-1])
        return SourceLocation(self.file.name, line, column)


def _tool_section(pyproject: Path) -> dict[str, Any] | None:
    if not pyproject.is_file():
        return None
    text = read_text(pyproject, only_utf8=True)
    if "tool.convexpy" not in text:
        return None
    section = _parse(pyproject.name, text).get("tool", {}).get("convexpy")
    return section if isinstance(section, dict) else None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
        message = re.sub(r" \(at .*\)$", "", str(error))
        raise _invalid(
            f"not valid TOML: {message[:1].lower()}{message[1:]}", SourceLocation(name, line, column)
        ) from error


def _checked(source: _Source, document: dict[str, Any]) -> Config:
    warnings: list[str] = []
    for section, values in document.items():
        if section == "deployments":
            for name, entry in _mapping(source, (section,), values).items():
                _check_section(source, (section, name), entry, _DEPLOYMENT, warnings)
        elif section not in _SECTIONS:
            warnings.append(_unknown(source, (section,), [*_SECTIONS, "deployments"]))
        else:
            _check_section(source, (section,), values, _SECTIONS[section], warnings)
    return _built(source, document, tuple(warnings))


def _check_section(
    source: _Source, path: tuple[str, ...], values: Any, kinds: Mapping[str, _Kind], warnings: list[str]
) -> None:
    for key, value in _mapping(source, path, values).items():
        if key not in kinds:
            warnings.append(_unknown(source, (*path, key), list(kinds)))
        elif not _fits(value, kinds[key]):
            raise _invalid(
                f"{'.'.join((*path, key))} is {_describe(value)}",
                source.location((*path, key)),
                hint=f"{key} = {_example(kinds[key])}",
                data={"found": _describe(value), "expected": _expected(kinds[key])},
            )
    if path[0] == "deployments" and "url" not in values:
        raise _invalid(f"{'.'.join(path)} has no url", source.location(path), hint='url = "https://…"')


def _mapping(source: _Source, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"{'.'.join(path)} must be a table", source.location(path), hint=f"[{'.'.join(path)}]")
    return value


def _fits(value: Any, kind: _Kind) -> bool:
    if kind == "strings":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if isinstance(kind, tuple):
        return any(value == word and type(value) is type(word) for word in kind)
    return type(value) is kind


def _expected(kind: _Kind) -> str:
    if kind == "strings":
        return "a list of strings"
    if isinstance(kind, tuple):
        return " or ".join(_toml(word) for word in kind)
    return (
        {str: "a string", int: "a whole number", bool: "true or false"}[kind]
        if isinstance(kind, type)
        else kind
    )


def _example(kind: _Kind) -> str:
    if kind == "strings":
        return '["…"]'
    if isinstance(kind, tuple):
        return _toml(kind[0])
    return {str: '"…"', int: "3210", bool: "true"}[kind] if isinstance(kind, type) else ""


def _toml(word: Any) -> str:
    return str(word).lower() if isinstance(word, bool) else f'"{word}"'


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return f"the string {value!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else repr(value)


def _unknown(source: _Source, path: tuple[str, ...], known: list[str]) -> str:
    near = difflib.get_close_matches(path[-1], known, n=1)
    advice = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    return f"{source.location(path)}: unknown key {'.'.join(path)!r}{advice}"


def _built(source: _Source, document: dict[str, Any], warnings: tuple[str, ...]) -> Config:
    project, dev = document.get("project", {}), document.get("dev", {})
    deploy = document.get("deploy", {})
    deployments = {
        name: NamedDeployment(
            name,
            str(entry["url"]).rstrip("/"),
            entry.get("site-url"),
            entry.get("production", False),
            entry.get("protected", False),
        )
        for name, entry in document.get("deployments", {}).items()
    }
    defaults = Config()
    return Config(
        file=source.file,
        name=project.get("name"),
        functions=project.get("functions", defaults.functions).rstrip("/"),
        function_case=project.get("function-case", defaults.function_case),
        default_deployment=document.get("deployment", {}).get("default", defaults.default_deployment),
        deployments=deployments,
        port=dev.get("port"),
        site_port=dev.get("site-port"),
        allow_host=tuple(dev.get("allow-host", ())),
        allow_origin=tuple(dev.get("allow-origin", ())),
        typecheck=dev.get("typecheck", defaults.typecheck),
        tail_logs=dev.get("tail-logs", defaults.tail_logs),
        watch_extra=tuple(dev.get("watch-extra", ())),
        poll=dev.get("poll", defaults.poll),
        start=dev.get("start", defaults.start),
        deploy_cmd=deploy.get("cmd", defaults.deploy_cmd),
        deploy_cmd_url_env_var=deploy.get("cmd-url-env-var", defaults.deploy_cmd_url_env_var),
        deploy_typecheck=deploy.get("typecheck", defaults.deploy_typecheck),
        large_table_documents=deploy.get("large-table-documents", defaults.large_table_documents),
        require_clean_git=deploy.get("require-clean-git", defaults.require_clean_git),
        codegen_python=document.get("codegen", {}).get("python", defaults.codegen_python),
        codegen_typescript=document.get("codegen", {}).get("typescript", defaults.codegen_typescript),
        checker=document.get("typecheck", {}).get("checker", defaults.checker),
        requirements=document.get("python", {}).get("requirements"),
        required_env=tuple(document.get("env", {}).get("required", ())),
        client_file=document.get("env", {}).get("client-file", defaults.client_file),
        warnings=warnings,
    )


def _line_of(text: str, table: list[str], key: str | None) -> int:
    return _position(text, table, key)[0]


def _position(text: str, table: list[str], key: str | None) -> tuple[int, int]:
    """Return line and column of a key, or of the header of a table, found by reading the lines."""
    current: list[str] = []
    header = (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = [part.strip().strip("\"'") for part in stripped.strip("[] ").split("]")[0].split(".")]
            if current == table or current == [*table, key] or (current[: len(table)] == table and table):
                header = (number, line.index("[") + 1) if header == (1, 1) else header
        elif key is not None:
            found = re.match(r"""\s*(["']?)([\w.-]+)\1\s*=\s*""", line)
            if found and [*current, *found[2].split(".")] == [*table, key]:
                return number, found.end() + 1
    return header


def _invalid(
    message: str, location: SourceLocation, *, hint: str | None = None, data: Any = None
) -> ProjectError:
    return ProjectError(message, code="ConfigInvalid", location=location, hint=hint, data=data)
