"""`convexpy.toml`, or `[tool.convexpy]` of `pyproject.toml`: read, checked, with the place of every mistake.

An unknown key is a warning with a suggestion; a wrong type is an error that names line and column.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError, SourceLocation
from convexpy.errors.texts import read_text

CONFIG_FILE = "convexpy.toml"

# What a value may be: a type, a tuple of allowed words, or "strings" for a list of strings.
_Kind = type | tuple[Any, ...] | str
_Options = dict[str, tuple[str, _Kind]]
"""By key: the field that it is read into, and what it may be."""


def _setting(key: str, kind: _Kind, default: Any = None) -> Any:
    """Declare a field that the configuration sets by this key."""
    return field(default=default, metadata={"key": key, "kind": kind})


@dataclass(frozen=True)
class NamedDeployment:
    """`[deployments.NAME]`: a server that this project may be pushed to."""

    name: str
    url: str = _setting("url", str)
    site_url: str | None = _setting("site-url", str)
    production: bool = _setting("production", bool, False)
    protected: bool = _setting("protected", bool, False)


@dataclass(frozen=True)
class Config:
    """The project's configuration with defaults filled in."""

    file: Path | None = None
    name: str | None = _setting("project.name", str)
    functions: str = _setting("project.functions", str, "convex")
    requires_convexpy: str = _setting("project.requires-convexpy", str, "")
    function_case: str = _setting("project.function-case", ("snake", "camel"), "snake")
    default_deployment: str = _setting("deployment.default", str, "local")
    deployments: Mapping[str, NamedDeployment] = field(default_factory=dict[str, NamedDeployment])
    port: int | None = _setting("dev.port", int)
    site_port: int | None = _setting("dev.site-port", int)
    allow_host: tuple[str, ...] = _setting("dev.allow-host", "strings", ())
    allow_origin: tuple[str, ...] = _setting("dev.allow-origin", "strings", ())
    typecheck: str = _setting("dev.typecheck", ("enable", "try", "disable"), "try")
    tail_logs: str = _setting("dev.tail-logs", ("always", "pause-on-deploy", "disable"), "pause-on-deploy")
    watch_extra: tuple[str, ...] = _setting("dev.watch-extra", "strings", ())
    poll: str | bool = _setting("dev.poll", ("auto", True, False), "auto")
    start: str = _setting("dev.start", str, "")
    page: str = _setting("dev.page", str, "")
    deploy_cmd: str = _setting("deploy.cmd", str, "")
    deploy_cmd_url_env_var: str = _setting("deploy.cmd-url-env-var", str, "")
    deploy_typecheck: str = _setting("deploy.typecheck", ("enable", "try", "disable"), "enable")
    large_table_documents: int = _setting("deploy.large-table-documents", int, 100_000)
    require_clean_git: bool = _setting("deploy.require-clean-git", bool, False)
    codegen_python: bool = _setting("codegen.python", bool, True)
    codegen_typescript: str | bool = _setting("codegen.typescript", ("auto", True, False), "auto")
    checker: str = _setting("typecheck.checker", str, "auto")
    requirements: str | None = _setting("python.requirements", str)
    required_env: tuple[str, ...] = _setting("env.required", "strings", ())
    client_file: str = _setting("env.client-file", str, ".env.local")
    editor: str = _setting("output.editor", str, "")
    warnings: tuple[str, ...] = ()


def _sections(kind: type[Config] | type[NamedDeployment]) -> dict[str, _Options]:
    """Return the keys of each section; those of a deployment are in one without a name."""
    found: dict[str, _Options] = {}
    for each in fields(kind):
        if each.metadata:
            section, _, key = each.metadata["key"].rpartition(".")
            found.setdefault(section, {})[key] = (each.name, each.metadata["kind"])
    return found


_SECTIONS = _sections(Config)
_DEPLOYMENT = _sections(NamedDeployment)[""]


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
                "pyproject.toml", _position(read_text(pyproject, only_utf8=True), ("tool", "convexpy"))[0]
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
        return SourceLocation(self.file.name, *_position(self.text, (*self.prefix, *path)))


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
    source: _Source, path: tuple[str, ...], values: Any, options: _Options, warnings: list[str]
) -> None:
    for key, value in _mapping(source, path, values).items():
        if key not in options:
            warnings.append(_unknown(source, (*path, key), list(options)))
        elif not _fits(value, kind := options[key][1]):
            raise _invalid(
                f"{'.'.join((*path, key))} is {_describe(value)}",
                source.location((*path, key)),
                hint=f"{key} = {_example(kind)}",
                data={"found": _describe(value), "expected": _expected(kind)},
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
    fields: dict[str, Any] = {}
    for section, options in _SECTIONS.items():
        fields |= _fields(document.get(section, {}), options)
    deployments = {
        name: NamedDeployment(name, **_fields(entry, _DEPLOYMENT))
        for name, entry in document.get("deployments", {}).items()
    }
    return Config(file=source.file, deployments=deployments, warnings=warnings, **fields)


def _fields(values: dict[str, Any], options: _Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, (name, _) in options.items():
        if key in values:
            value: Any = values[key]
            if name in ("functions", "url"):
                found[name] = value.rstrip("/")
            else:
                found[name] = tuple(value) if isinstance(value, list) else value
    return found


def setting_fields() -> dict[str, str]:
    """Return every key that a configuration may set, `dev.site-port`, with the field of `Config` that it is read into."""
    return {each.metadata["key"]: each.name for each in fields(Config) if each.metadata}


def key_lines(file: Path | None) -> dict[str, int]:
    """Return the keys that a configuration file sets, with their lines."""
    text = "" if file is None else read_text(file, only_utf8=True)
    found: dict[str, int] = {}
    for path, (line, _) in _positions(text).items():
        own = path[2:] if path[:2] == ("tool", "convexpy") else path
        found.setdefault(".".join(own), line)
    return found


def _positions(text: str) -> dict[tuple[str, ...], tuple[int, int]]:
    """Return line and column of every key, of its value, and of every section, found by reading the lines."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            header = line.strip().strip("[] ").split("]")[0]
            section = tuple(part.strip().strip("\"'") for part in header.split("."))
            found.setdefault(section, (number, line.index("[") + 1))
        elif key := re.match(r"""\s*(["']?)([\w.-]+)\1\s*=\s*""", line):
            found.setdefault((*section, *key[2].split(".")), (number, key.end() + 1))
    return found


def _position(text: str, path: tuple[str, ...]) -> tuple[int, int]:
    """Return line and column of a key or section, else those of the first section around it."""
    found = _positions(text)
    for depth in (len(path), len(path) - 1):
        near = (place for each, place in found.items() if depth and each[:depth] == path[:depth])
        if (place := found.get(path) or next(near, None)) is not None:
            return place
    return 1, 1


def _invalid(
    message: str, location: SourceLocation, *, hint: str | None = None, data: Any = None
) -> ProjectError:
    return ProjectError(message, code="ConfigInvalid", location=location, hint=hint, data=data)
