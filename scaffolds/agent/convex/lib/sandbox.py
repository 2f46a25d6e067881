"""Where code of an agent runs: in an E2B sandbox, or, by an explicit choice during development, on this machine.

Without a sandbox nothing runs. `AGENT_SANDBOX=host` chooses a process on this machine, and counts only where
`CONVEXPY_DEVELOPMENT` is set: `convexpy dev` sets it, a production server never does and takes no variable of that name.
The process has limits, but the same files and network as the server: it is for code that you trust.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 20.0
CPU_S = 10
MEMORY_BYTES = 512 * 1024 * 1024
OUTPUT_BYTES = 64 * 1024
FILES_MAX = 20


class NoSandbox(Exception):
    """There is no sandbox to run code in."""


@dataclass
class Run:
    """What a run printed, how it failed, and the files that it left."""

    output: str
    error: str | None = None
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])


async def run_code(code: str) -> Run:
    """Run Python code; a failure of the code is a result, not an exception.

    Raises:
        NoSandbox: no sandbox is configured; nothing ran.
    """
    if key := os.environ.get("E2B_API_KEY"):
        return await _in_e2b(code, key)
    if os.environ.get("AGENT_SANDBOX") != "host":
        raise NoSandbox("there is no sandbox to run code in: set E2B_API_KEY, see README.md")
    if os.environ.get("CONVEXPY_DEVELOPMENT") != "1":
        raise NoSandbox("AGENT_SANDBOX=host is for `convexpy dev` only: set E2B_API_KEY")
    return await _in_process(code)


async def _in_e2b(code: str, key: str) -> Run:
    from e2b_code_interpreter import AsyncSandbox  # type: ignore[import-not-found, unused-ignore]

    sandbox: Any = await AsyncSandbox.create(api_key=key, timeout=int(TIMEOUT_S) + 10)
    try:
        execution = await sandbox.run_code(code, timeout=TIMEOUT_S)
        error = None if execution.error is None else f"{execution.error.name}: {execution.error.value}"
        return Run("".join(execution.logs.stdout)[:OUTPUT_BYTES], error)
    finally:
        await sandbox.kill()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _in_process(code: str) -> Run:
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", code,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": folder},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_limit,
        )
        try:
            output = await asyncio.wait_for(_read(process), TIMEOUT_S)
            status = await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            return Run("", f"not done within {TIMEOUT_S:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        error = None if status == 0 else f"exit status {status}"
        return Run(output, error, await asyncio.to_thread(_files, Path(folder)))


async def _read(process: asyncio.subprocess.Process) -> str:
    """Return the beginning of the output; the rest is read and dropped, so that the process is not held up."""
    assert process.stdout is not None
    kept = b""
    while part := await process.stdout.read(65_536):
        kept += part[: max(OUTPUT_BYTES - len(kept), 0)]
    return kept.decode(errors="replace")


def _files(folder: Path) -> dict[str, bytes]:
    plain = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.is_symlink()]
    return {file.name: file.read_bytes() for file in plain[:FILES_MAX] if file.stat().st_size < 10_000_000}
