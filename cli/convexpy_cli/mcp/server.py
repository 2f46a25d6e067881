"""The Model Context Protocol on standard input and output, by the `mcp` package (the extra `convexpy[mcp]`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convexpy.errors import Error
from convexpy_cli import errors
from convexpy_cli.docs.about import version_text
from convexpy_cli.mcp.tools import InvalidParams, Tool
from convexpy_cli.output import masking


def serve(tools: Mapping[str, Tool], call: Callable[[str, dict[str, Any]], str]) -> None:
    """Serve until the input ends. `call` runs a tool by name and returns its result as text.

    Raises:
        Failure: the `mcp` package is not installed (exit 3).
    """
    try:
        import anyio
        import jsonschema
        from mcp import MCPError, types
        from mcp.server.lowlevel import Server
        from mcp.server.stdio import stdio_server
    except ImportError as error:
        raise errors.Failure(
            "PackageMissing", "`convexpy mcp` requires the package mcp", hint="pip install 'convexpy[mcp]'"
        ) from error
    one_at_a_time = anyio.Lock()

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(**tool.described()) for tool in tools.values()])

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool, arguments = tools.get(params.name), params.arguments or {}
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool {params.name!r}")
        try:
            jsonschema.validate(arguments, tool.described()["inputSchema"])
            async with one_at_a_time:
                text, failed = await anyio.to_thread.run_sync(call, params.name, arguments), False
        except jsonschema.ValidationError as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from error
        except InvalidParams as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from error
        except Exception as error:  # noqa: BLE001 - a tool that fails is an answer, not the end
            text, failed = _described(error), True
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)

    async def run() -> None:
        server = Server("convexpy", version=version_text(), on_list_tools=list_tools, on_call_tool=call_tool)
        async with stdio_server() as (source, sink):
            await server.run(source, sink, server.create_initialization_options())

    anyio.run(run)


def _described(error: Exception) -> str:
    if not isinstance(error, Error):
        return masking.mask(f"{type(error).__name__}: {error}")
    shown = errors.shown(error)
    hint = f"\ntry: {shown['hint']}" if shown["hint"] else ""
    return masking.mask(f"error[{shown['code']}]: {shown['message']}{hint}")
