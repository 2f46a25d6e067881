"""The tools of the Model Context Protocol server: under the names of the official one, and a few more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.client import AdminClient, DataClient, DocumentQuery, Evaluator
from convexpy_cli.context import Context

LOG_ENTRIES = 200
PAGE = 100
SELECTOR = {"type": "string", "description": "a deployment, from the tool `status`"}


class InvalidParams(Exception):
    """The arguments of a tool are not valid."""


@dataclass(frozen=True)
class Tool:
    """What a tool takes and does.

    `privileged` ones change a deployment, or execute Python: code can do what no list of tools says. `local` ones need
    no deployment.
    """

    name: str
    description: str
    run: Callable[..., Any]
    properties: dict[str, Any]
    required: tuple[str, ...] = ()
    privileged: bool = False
    local: bool = False

    def described(self) -> dict[str, Any]:
        """Return the tool as the protocol lists it."""
        properties = (
            dict(self.properties) if self.local else {"deploymentSelector": SELECTOR, **self.properties}
        )
        required = list(self.required) if self.local else ["deploymentSelector", *self.required]
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
            "annotations": {"readOnlyHint": not self.privileged},
        }


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _tables(ctx: Context, client: AdminClient) -> Any:
    described = client.app().tables
    return [
        {**msgspec.to_builtins(each), "schema": described.get(each.name)}
        for each in DataClient(client).tables()
    ]


def _data(
    ctx: Context,
    client: AdminClient,
    tableName: str,  # noqa: N803 - names of the protocol
    order: str = "desc",
    cursor: str | None = None,
    limit: int = PAGE,
    where: str | None = None,
    index: str | None = None,
    equal: dict[str, Any] | None = None,
    lower: dict[str, Any] | None = None,
    upper: dict[str, Any] | None = None,
) -> Any:
    query = DocumentQuery(
        tableName,
        order,
        index=index,
        equal=tuple((equal or {}).items()),
        lower=_bound("lower", lower),
        upper=_bound("upper", upper),
        where=where,
    )
    page, following = DataClient(client).page(query, max(1, min(limit, 1000)), cursor)
    return {"page": page, "isDone": following is None, "cursor": following}


def _bound(name: str, given: dict[str, Any] | None) -> tuple[str, Any, bool] | None:
    if given is None:
        return None
    if (
        set(given) - {"field", "value", "inclusive"}
        or "value" not in given
        or not isinstance(given.get("field"), str)
    ):
        raise InvalidParams(f"{name}: must be an object with field, value and, optionally, inclusive")
    return given["field"], given["value"], given.get("inclusive", True) is True


def _run(ctx: Context, client: AdminClient, functionName: str, args: Any = None) -> Any:  # noqa: N803
    given = json.loads(args) if isinstance(args, str) else args
    found = client.call(functionName, given or {})
    return {"result": found.value, "logLines": found.log_lines}


def _run_query(ctx: Context, client: AdminClient, query: str) -> Any:
    found = Evaluator(client).evaluate(query)
    return {"result": found.value, "text": found.text, "logLines": found.log_lines}


def _logs(
    ctx: Context,
    client: AdminClient,
    entriesLimit: int = LOG_ENTRIES,  # noqa: N803
    status: str | None = None,
    function: str | None = None,
    requestId: str | None = None,  # noqa: N803
) -> Any:
    from convexpy_cli.logs.entries import records_of

    filters = {"limit": entriesLimit, "status": status, "function": function, "requestId": requestId}
    page = client.log_records(filters)
    return [record for entry in page.entries for record in records_of(entry, success=True)]


def _insights(ctx: Context, client: AdminClient) -> Any:
    counts = client.function_statistics()
    failing = sorted((each for each in counts if each.errors), key=lambda each: -each.errors)
    slow = sorted(counts, key=lambda each: -each.p95_ms)
    return {"failing": failing[:20], "slowest": slow[:20]}


def _functions(ctx: Context, client: AdminClient) -> Any:
    return client.app().functions


def _env_list(ctx: Context, client: AdminClient) -> Any:
    return sorted(client.environment())


def _env_get(ctx: Context, client: AdminClient, name: str) -> Any:
    return client.environment().get(name)


def _env_set(ctx: Context, client: AdminClient, name: str, value: str) -> Any:
    client.update_environment({name: value})
    return {"set": name}


def _env_remove(ctx: Context, client: AdminClient, name: str) -> Any:
    client.update_environment({name: None})
    return {"removed": name}


def _schema_diff(ctx: Context, client: AdminClient) -> Any:
    from convexpy_cli.schema import compare

    return compare.differences(client.app().schema, compare.of_code(ctx))


def _push(ctx: Context, client: AdminClient) -> Any:
    from convexpy_cli.functions import call

    pushed = call.push_once(ctx, client)
    return {"version": pushed.version, "changes": pushed.changes, "warnings": pushed.warnings}


def _docs(ctx: Context, topic: str | None = None) -> Any:
    from convexpy_cli.docs import manual

    return manual.topics() if topic is None else manual.read(topic)


TOOLS = (
    Tool("tables", "Tables of a deployment: documents, indexes, schema.", _tables, {}),
    Tool(
        "data",
        "Query a table: a page of documents through an index, under a condition.",
        _data,
        {
            "tableName": _text("the table"),
            "order": _text("asc or desc"),
            "cursor": _text("go on where a page ended"),
            "limit": {"type": "integer", "description": "documents in the page [100]"},
            "where": _text('condition such as status == "failed" and size > 10'),
            "index": _text("read through this index, in its order"),
            "equal": {"type": "object", "description": "values of the first fields of the index, by field"},
            "lower": {"type": "object", "description": "from {field, value, inclusive} of the next field"},
            "upper": {"type": "object", "description": "to {field, value, inclusive} of the next field"},
        },
        ("tableName",),
    ),
    Tool("functionSpec", "Functions with kind, visibility, arguments and results.",
         _functions, {}),
    Tool("run", "Call a query, mutation or action; internal ones too.", _run,
         {"functionName": _text("path such as messages:list"), "args": {"description": "arguments: an object"}},
         ("functionName",), privileged=True),
    Tool("runOneoffQuery", "Evaluate Python with ctx and db; what it writes is discarded.", _run_query,
         {"query": _text('for example: db.query("messages").take(5)')}, ("query",), privileged=True),
    Tool("logs", "The newest log records.", _logs,
         {"entriesLimit": {"type": "integer", "description": "at most so many calls [200]"},
          "status": _text("ok or error"), "function": _text("only these, with * as wildcard"),
          "requestId": _text("only this request")}),
    Tool("insights", "Functions that fail, and the slowest, of the last 24 hours.", _insights, {}),
    Tool("envList", "Names of the deployment's variables, never their values.",
         _env_list, {}),
    Tool("envGet", "The value of one variable.",
         _env_get, {"name": _text("the variable")}, ("name",)),
    Tool("envSet", "Set a variable.", _env_set,
         {"name": _text("the variable"), "value": _text("its value")}, ("name", "value"), privileged=True),
    Tool("envRemove", "Remove a variable.", _env_remove, {"name": _text("the variable")}, ("name",), privileged=True),
    Tool("schemaDiff", "What the local code changes in the deployment's schema; imports that code.", _schema_diff, {},
         privileged=True),
    Tool("pushOnce", "Push the local functions to the deployment.", _push, {}, privileged=True),
    Tool("docs", "The documentation of convexpy: its pages, one page, or an error code.", _docs,
         {"topic": _text("page or error code")}, local=True),
)  # fmt: skip
