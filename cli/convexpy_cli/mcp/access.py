"""Which deployments an agent sees, by selectors that name them, and what it may do there.

Agents edit the project's files, so these files alone cannot decide what is production: a deployment is for development
only if its server says that it is one of `convexpy dev`, whatever the configuration calls it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from convexpy.client import AdminClient
from convexpy.errors import Error
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deployments import names
from convexpy_cli.mcp.tools import TOOLS, InvalidParams, Tool

TEXT_LENGTH_MAX = 80_000
"""About 20,000 tokens: a longer answer is of no use to who reads it."""


@dataclass(frozen=True)
class Permissions:
    """What was allowed when the server was started."""

    read_only: bool = False
    production_reads: bool = False
    production_writes: bool = False
    disabled: tuple[str, ...] = field(default=())


class Deployments:
    """The deployments of a project as an agent knows them."""

    def __init__(self, ctx: Context, permissions: Permissions) -> None:
        self._ctx = ctx
        self._permissions = permissions
        self._names: dict[str, str] = {}

    def tools(self) -> list[Tool]:
        """Return the tools that may be used at all."""
        status = Tool(
            "status",
            "The deployments that can be asked, each with its selector.",
            self.status,
            {},
            local=True,
        )
        return [
            tool
            for tool in (status, *TOOLS)
            if tool.name not in self._permissions.disabled
            and not (self._permissions.read_only and tool.privileged)
        ]

    def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Run a tool; return its answer as text, cut at a length that can be read."""
        tool = next(each for each in self.tools() if each.name == name)
        given = dict(arguments)
        if tool.local:
            value = tool.run(self._ctx, **given)
        else:
            with self._opened(given.pop("deploymentSelector"), tool) as (ctx, client):
                value = tool.run(ctx, client, **given)
        text = (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, indent=1, default=msgspec.to_builtins)
        )
        if len(text) > TEXT_LENGTH_MAX:
            left = len(text) - TEXT_LENGTH_MAX
            return (
                f"{text[:TEXT_LENGTH_MAX]}\n… {left} more characters: ask for less, or go on with the cursor"
            )
        return text

    def status(self, ctx: Context) -> Any:
        """Return the deployments with their selectors; production ones only if reading them was allowed."""
        shown: list[dict[str, Any]] = []
        for row in names.listed(self._context(None)):
            if not self._reads_production() and self._is_production(row):
                continue
            selector = next((key for key, name in self._names.items() if name == row["name"]), None)
            if selector is None:
                selector = f"{row['name']}:{secrets.token_hex(4)}"
                self._names[selector] = row["name"]
            shown.append(
                {"deploymentSelector": selector, **{key: row[key] for key in ("name", "type", "url")}}
            )
        return {"deployments": shown}

    def _reads_production(self) -> bool:
        return self._permissions.production_reads or self._permissions.production_writes

    def _context(self, name: str | None) -> Context:
        return self._ctx.sibling(deployment=name, url=None, admin_key=None, yes=True)

    def _is_production(self, row: dict[str, Any]) -> bool:
        """Ask a remote deployment what it is; one that does not say so counts as production."""
        if row["production"] or row["type"] != "remote":
            return bool(row["production"])
        try:
            with closing(self._context(row["name"])) as ctx, ctx.connected("mcp") as (_, client):
                return not client.is_development()
        except Error:
            return True

    @contextmanager
    def _opened(self, selector: str, tool: Tool) -> Generator[tuple[Context, AdminClient], None, None]:
        name = self._names.get(selector)
        if name is None:
            raise InvalidParams("no such deploymentSelector: take one from `status`")
        with closing(self._context(name)) as ctx, ctx.connected("mcp") as (target, client):
            self._check(target.production or not client.is_development(), name, tool)
            yield ctx, client

    def _check(self, production: bool, name: str, tool: Tool) -> None:
        allowed = self._permissions.production_writes if tool.privileged else self._reads_production()
        if production and not allowed:
            raise errors.consent(
                f'"{name}" is a production deployment: {tool.name} is not allowed there',
                f"convexpy mcp --allow-production-{'writes' if tool.privileged else 'reads'}",
            )
