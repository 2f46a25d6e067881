"""The language model: any endpoint that speaks OpenAI's chat completions, or a stand-in that needs none.

`OPENAI_BASE_URL` and `OPENAI_API_KEY` choose the endpoint, `OPENAI_MODEL` the model. Without either of the first two the
stand-in answers: it runs a prompt that is Python, and says what it is otherwise. It is for the first run and for tests.
"""

import ast
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-5-mini"
TIMEOUT_S = 120.0
INSTRUCTIONS = (
    "You help with tasks. You may run Python with the tool run_python, as often as needed; files that it leaves in its "
    "working directory are kept for the user. Answer briefly, in plain text."
)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "run_python",
            "description": "Run Python code in a sandbox. Returns what it printed, and the names of the files it left.",
            "parameters": {
                "type": "object",
                "properties": {"code": {"type": "string"}},
                "required": ["code"],
            },
        },
    }
]
NO_MODEL = (
    "I am the stand-in that comes with this scaffold: I run prompts that are Python. For a model, set OPENAI_API_KEY, and "
    "OPENAI_BASE_URL if it is not OpenAI's: convexpy env set OPENAI_API_KEY …"
)

Message = dict[str, Any]


@dataclass
class ToolCall:
    """A tool that the model wants to be used; `arguments` is JSON."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Turn:
    """One answer of the model, growing while it streams."""

    text: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list[ToolCall])

    def as_message(self) -> Message:
        """Return it as the next turn of the conversation."""
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in self.tool_calls
        ]
        return {"role": "assistant", "content": self.text or None, **({"tool_calls": calls} if calls else {})}


def is_stand_in() -> bool:
    """Say whether no model is configured."""
    return not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))


async def stream(messages: list[Message]) -> AsyncIterator[Turn]:
    """Yield the model's answer to a conversation as it grows; the last one is whole.

    Raises:
        httpx.HTTPError: the endpoint cannot be reached, or refuses.
    """
    answers = _stand_in(messages) if is_stand_in() else _from_endpoint(messages)
    async for turn in answers:
        yield turn


async def _from_endpoint(messages: list[Message]) -> AsyncIterator[Turn]:
    import httpx

    url = os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    key = os.environ.get("OPENAI_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {
        "model": os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL,
        "messages": [{"role": "system", "content": INSTRUCTIONS}, *messages],
        "tools": TOOLS,
        "stream": True,
    }
    turn = Turn()
    async with (
        httpx.AsyncClient(timeout=TIMEOUT_S) as client,
        client.stream("POST", f"{url.rstrip('/')}/chat/completions", json=body, headers=headers) as response,
    ):
        response.raise_for_status()
        async for line in response.aiter_lines():
            data = line.removeprefix("data:").strip()
            if not line.startswith("data:") or data == "[DONE]":
                continue
            for choice in json.loads(data).get("choices", []):
                _add(turn, choice.get("delta") or {})
            yield turn


def _add(turn: Turn, delta: dict[str, Any]) -> None:
    turn.text += delta.get("content") or ""
    for part in delta.get("tool_calls") or []:
        place = part.get("index", len(turn.tool_calls))
        while len(turn.tool_calls) <= place:
            turn.tool_calls.append(ToolCall())
        call, function = turn.tool_calls[place], part.get("function") or {}
        call.id = part.get("id") or call.id
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""


async def _stand_in(messages: list[Message]) -> AsyncIterator[Turn]:
    last = messages[-1]
    if last["role"] == "tool":
        yield Turn(json.loads(last["content"])["output"])
    elif _is_python(last["content"]):
        yield Turn(tool_calls=[ToolCall("call_1", "run_python", json.dumps({"code": last["content"]}))])
    else:
        words = NO_MODEL.split(" ")
        for end in range(1, len(words) + 1):
            yield Turn(" ".join(words[:end]))


def _is_python(text: str) -> bool:
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    # One word is a name in Python, too.
    return bool(body) and not (
        len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Name | ast.Constant)
    )
