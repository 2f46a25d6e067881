"""The examples of the Python reference do what they say."""

from datetime import timedelta

import pytest
from convexpy import ConvexError, FunctionError, Int64, from_ms
from convexpy.testing import ConvexTest, app_module, sign_in


@pytest.fixture
def owner(convex: ConvexTest) -> str:
    return str(convex.run(lambda ctx: ctx.db.insert("users", {"name": "Ada", "role": "admin"})))


def test_queries_and_mutations(convex: ConvexTest, owner: str) -> None:
    note = convex.mutation("notes:add", owner=owner, text="one")
    assert convex.query("notes:of_owner", owner=owner) == ["one"]
    assert convex.query("notes:first_of", ids=[note]) == "one"
    assert convex.mutation("notes:add_and_count", owner=owner) == 2
    convex.mutation("notes:forget_due", noteId=note)
    assert "due" not in convex.run(lambda ctx: ctx.db.get(note))
    with pytest.raises(ConvexError):
        convex.mutation("notes:rename", noteId=note, text=" ")
    options = {"cursor": None, "numItems": 1}
    assert convex.query("notes:page", owner=owner, paginationOpts=options)["page"] == ["one"]
    assert convex.query("notes:names", paginationOpts=options)["page"] == ["Ada"]
    assert convex.query("notes:named", name="Ada") == owner
    assert convex.query("notes:named", name="Eve") is None
    assert convex.query("notes:about_me") == "notes:about_me has read 0 documents"
    assert convex.mutation("notes:careful", owner=owner) == "documents_written"
    assert convex.mutation("notes:insert_anything", document={"name": "Eve"}).startswith("SchemaViolation: ")
    assert convex.query("notes:is_wrong")


def test_sign_in(convex: ConvexTest) -> None:
    params = {"email": "ada@example.com"}
    assert convex.action("auth:signIn", provider="email-code", params=params) == {"started": True}
    with pytest.raises(FunctionError):  # the example sends codes only
        convex.action("auth:signIn", provider="magic-link", params=params)
    assert convex.query("auth:signed_in") is None
    assert sign_in(convex, name="Ada", role="member").query("auth:signed_in") == "Ada"
    assert [each["id"] for each in convex.query("auth:providers")] == ["password", "email-code", "magic-link"]


def test_people(convex: ConvexTest) -> None:
    assert convex.query("notes:who") == "nobody"
    ada = convex.with_identity(subject="ada", name="Ada")
    assert ada.query("notes:who") == "Ada"
    assert ada.action("outside:whoami") == "ada"


def test_jobs(convex: ConvexTest, owner: str) -> None:
    note = convex.mutation("notes:add", owner=owner, text="gone tomorrow")
    job = convex.mutation("notes:remind_tomorrow", noteId=note)
    assert convex.query("notes:is_waiting", jobId=job)
    convex.advance(timedelta(days=1))
    assert not convex.query("notes:is_waiting", jobId=job)
    assert convex.query("notes:of_owner", owner=owner) == []
    assert convex.mutation("notes:remove", noteId=note) is False


def test_values(convex: ConvexTest) -> None:
    notes = app_module("notes")
    assert notes.is_member({"name": "Ada"})
    assert not notes.is_member({"name": 1})
    assert set(notes.public_fields.fields) == {"name", "age"}
    assert convex.query("notes:next_number", number=Int64(2**60)) == 2**60 + 1
    assert convex.query("notes:mirrored", point={"x": 1.0, "y": 2.0}) == {"x": 2.0, "y": 1.0}
    assert from_ms(notes.next_midnight(0)).day == 2


def test_actions_and_files(convex: ConvexTest, owner: str) -> None:
    assert convex.action("outside:digest", owner=owner) == convex.query("notes:of_owner", owner=owner)[0]
    assert convex.action("outside:in_a_thread", path=__file__) > 0
    assert convex.action("outside:visitor")
    assert convex.action("outside:shout", text="hi") == "HI"
    assert convex.query("notes:sizes") == [2]
    assert convex.action("outside:careful").startswith("notes:broken failed")
    stored = convex.run(lambda ctx: ctx.db.system.query("_storage").first()["_id"])
    file = convex.run(lambda ctx: ctx.db.insert("files", {"name": "hi.txt", "storageId": stored}))
    assert convex.query("notes:file_url", fileId=file).startswith("http")
    assert convex.action("outside:size_of", fileId=stored) == 2
    assert convex.mutation("notes:upload_url")


def test_routes(convex: ConvexTest, owner: str) -> None:
    assert convex.fetch("/notes", method="POST", json={"owner": owner, "text": "hi"}).status_code == 201
    assert convex.fetch(f"/export?owner={owner}").text == "hi\n"
    assert convex.fetch("/robots.txt").text.startswith("User-agent")
    assert convex.fetch("/old/x").status_code == 308
