"""The functions of tasks.py, in an in-memory deployment."""

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest


def test_a_task_is_listed_until_it_is_done(convex: ConvexTest) -> None:
    task = convex.mutation("tasks:add", text="  write a test ")
    assert [each["text"] for each in convex.query("tasks:list", done=False)] == ["write a test"]

    convex.mutation("tasks:set_done", taskId=task)

    assert convex.query("tasks:list", done=False) == []
    assert [each["_id"] for each in convex.query("tasks:list", done=True)] == [task]


def test_an_empty_task_is_refused(convex: ConvexTest) -> None:
    with pytest.raises(ConvexError):
        convex.mutation("tasks:add", text="   ")
    assert convex.query("tasks:list") == []


def test_a_subscription_sees_a_new_task(convex: ConvexTest) -> None:
    with convex.subscribe("tasks:list") as tasks:
        assert tasks.next() == []
        convex.mutation("tasks:add", text="look")
        assert [each["text"] for each in tasks.next()] == ["look"]
