"""Written by `convexpy codegen` from schema.py. Do not edit."""

from typing import NewType

from typing_extensions import TypedDict

TasksId = NewType("TasksId", str)

# Read by convexpy, where an annotation names an id.
ID_TABLES: dict[str, str] = {"TasksId": "tasks"}


# tasks

class TasksFields(TypedDict):
    text: str
    done: bool


class TasksDoc(TasksFields):
    _id: TasksId
    _creationTime: float


class TasksPatch(TypedDict, total=False):
    text: str
    done: bool
