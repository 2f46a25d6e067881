"""Every kind of validator, as an argument and as a result."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from convexpy import UNSET, Int64, ScheduledFunctionId, StorageId, v

from ._generated.data_model import ChannelsId, UsersDoc, UsersId
from ._generated.server import QueryCtx, query


class Color(Enum):
    RED = "red"
    GREEN = "green"


class Size(TypedDict):
    width: float
    depth: NotRequired[float]


@dataclass
class Profile:
    name: str
    level: int = 1
    tags: list[str] = field(default_factory=list)
    note: str = UNSET


ANY_KIND = {
    "text": v.string(),
    "number": v.number(),
    "whole": v.int(),
    "large": v.int64(),
    "flag": v.boolean(),
    "nothing": v.null(),
    "raw": v.bytes(),
    "anything": v.any(),
    "user": v.id("users"),
    "file": v.id("_storage"),
    "job": v.id("_scheduled_functions"),
    "items": v.array(v.object({"a": v.string(), "b": v.optional(v.nullable(v.number()))})),
    "byName": v.record(v.string(), v.array(v.int64())),
    "byUser": v.record(v.id("users"), v.string()),
    "one": v.literal("one"),
    "some": v.union(v.literal("a"), v.literal(2), v.literal(True), v.literal(Int64(3)), v.null()),
    "either": v.union(
        v.object({"kind": v.literal("x")}), v.object({"kind": v.literal("y"), "y": v.number()})
    ),
    "maybe": v.optional(v.string()),
    "two words": v.string(),
    "class": v.string(),
}


@query(args=ANY_KIND, returns=v.object(ANY_KIND))
def echo(ctx: QueryCtx, /, **args: Any) -> dict[str, Any]:
    return args


@query
def annotated(
    ctx: QueryCtx,
    color: Color,
    size: Size,
    profile: Profile,
    mode: Literal["fast", "slow"],
    channel: ChannelsId | None,
    file: StorageId = UNSET,
    job: ScheduledFunctionId | None = None,
) -> Profile:
    return profile


@query
def large(ctx: QueryCtx, n: Int64) -> Int64:
    return n


@query
def parts(ctx: QueryCtx, ids: tuple[UsersId, ...]) -> dict[str, UsersDoc | None]:
    return {}


@query(name="default")
def kinds(ctx: QueryCtx) -> Literal["the default"]:
    return "the default"
