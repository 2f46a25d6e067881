"""Python evaluated by a deployment, input by input: what `convexpy shell` and `convexpy run --inline` do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from convexpy.client._errors import FunctionFailed

if TYPE_CHECKING:
    from convexpy.client._admin import AdminClient


@dataclass(frozen=True)
class Evaluated:
    """What an input gave: its value as Convex's JSON and as text, what was printed, and what it writes.

    `changes` are `{table, id, kind, document}`; `lost` names variables that cannot be kept for later inputs.
    """

    value: Any
    text: str
    log_lines: list[str]
    changes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lost: list[str] = field(default_factory=list[str])


class Evaluator:
    """A session: variables, imports and definitions of earlier inputs are there for the later ones."""

    def __init__(self, client: AdminClient, *, writes: bool = False) -> None:
        self._client = client
        self._writes = writes
        self._scope: dict[str, Any] = {}
        self._prelude: list[str] = []

    def evaluate(
        self, source: str, *, commit: list[dict[str, Any]] | None = None, decode: bool = False
    ) -> Evaluated:
        """Run Python in one transaction. Nothing is written without `commit`, the changes that were agreed to.

        Raises:
            FunctionFailed: it is not valid Python, it raised, or (`ChangedMeanwhile`) it would write something else now.
        """
        args: dict[str, Any] = {
            "source": source,
            "scope": self._scope,
            "prelude": self._prelude,
            "write": self._writes,
        }
        if commit is not None:
            args["commit"] = [{**change, "document": None} for change in commit]
        body = {"args": args, "writes": self._writes, "decode": decode}
        answer = self._client.admin_request("/api/convexpy/evaluate", body)
        logs: list[str] = answer["logLines"]
        if "error" in answer:
            failed = answer["error"]
            raise FunctionFailed(failed["message"], code=failed["code"], log_lines=logs)
        found = answer["value"]
        self._scope, self._prelude = found["scope"], found["prelude"]
        return Evaluated(found["value"], found["text"], logs, found["changes"], found["lost"])
