"""Call what the fragments of the pages have become."""

from convexpy.testing import ConvexTest


def test_statements(convex: ConvexTest) -> None:
    convex.mutation("statements:run")
    assert convex.query("messages:list", channel="general") != []


def test_calls(convex: ConvexTest) -> None:
    user = convex.mutation("users:add", name="Ada")
    convex.mutation("calls:run", user=user)
    convex.action("calls:look", user=user)
    convex.mutation("limits:run", user_id=user)
    convex.mutation("jobs:run")
    convex.action("reports:store")


def test_migration(convex: ConvexTest) -> None:
    user = convex.mutation("users:add", name="Ada")
    convex.mutation("migrations:add_role")
    convex.finish_scheduled()
    assert convex.query("users:get", userId=user)["role"] == "member"


def test_routes(convex: ConvexTest) -> None:
    assert convex.fetch("/api/submit", method="POST", content=b'{"name": "x"}').json() == {"saved": "x"}
    assert convex.fetch("/export/all").content == b"a\nb\n"


def test_cron_jobs_run(convex: ConvexTest) -> None:
    from datetime import timedelta

    convex.advance(timedelta(minutes=6))
