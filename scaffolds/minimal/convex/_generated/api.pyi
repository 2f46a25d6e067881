"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""

from convexpy import MutationReference, QueryReference

from .data_model import TasksDoc, TasksId

# tasks

@QueryReference
def _tasks_list(*, done: bool | None = ...) -> list[TasksDoc]: ...
@MutationReference
def _tasks_add(*, text: str) -> TasksId: ...
@MutationReference
def _tasks_set_done(*, taskId: TasksId, done: bool = ...) -> None: ...

# api

class _Api_tasks:
    list = _tasks_list
    add = _tasks_add
    set_done = _tasks_set_done

class _Api:
    tasks: _Api_tasks

api: _Api

# internal

class _Internal: ...

internal: _Internal
