"""Generated code: an example app gives exactly the files that it should, odd schemas stay valid Python."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from convexpy.errors import ProjectError
from convexpy.project import codegen
from convexpy.project.codegen import stale_files, write_files
from convexpy.protocol.app_description import AppDescription

EXPECTED = Path(__file__).parent / "chat_sessions"
STRING = {"type": "string"}
NUMBER = {"type": "number"}
NULL = {"type": "null"}


def id_of(table: str) -> dict[str, Any]:
    return {"type": "id", "tableName": table}


def literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value}


def union(*members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "union", "value": list(members)}


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "value": items}


def optional(validator: dict[str, Any], *, default: bool = False) -> dict[str, Any]:
    return {"fieldType": validator, "optional": True, **({"default": True} if default else {})}


def obj(fields: dict[str, Any], **named: str) -> dict[str, Any]:
    value = {
        name: each if "fieldType" in each else {"fieldType": each, "optional": False}
        for name, each in fields.items()
    }
    return {"type": "object", "value": value, **named}


def table(
    validator: dict[str, Any], *indexes: dict[str, Any], search: Any = (), vector: Any = ()
) -> dict[str, Any]:
    return {
        "validator": validator,
        "indexes": list(indexes),
        "searchIndexes": list(search),
        "vectorIndexes": list(vector),
    }


def index(name: str, *fields: str, staged: bool = False) -> dict[str, Any]:
    return {"name": name, "fields": list(fields), "staged": staged}


def schema_of(tables: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    return {"tables": tables, "schemaValidation": True, "strictTableNames": strict}


def function(
    path: str, kind: str, args: Any, returns: Any, line: int, *, internal: bool = False
) -> dict[str, Any]:
    module = path.partition(":")[0]
    return {
        "path": path,
        "kind": kind,
        "visibility": "internal" if internal else "public",
        "args": args,
        "returns": returns,
        "file": f"convex/{module}.py",
        "line": line,
    }


STATUS = union(literal("pending"), literal("running"), literal("completed"))
TEXT_MESSAGE = {
    "kind": literal("text"),
    "sessionId": id_of("sessions"),
    "text": STRING,
    "embedding": optional(array(NUMBER)),
}
FILE_MESSAGE = {"kind": literal("file"), "sessionId": id_of("sessions"), "storageId": id_of("_storage")}
SESSION = {
    "userId": id_of("users"),
    "status": STATUS,
    "startedAt": NUMBER,
    "completedAt": optional(NUMBER),
    "origin": optional(obj({"city": STRING, "class": {"type": "number", "int": True}})),
    "reminder": optional(id_of("_scheduled_functions")),
}
DATA_MODEL = "_app._generated.data_model"


def document(name: str, table_name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return obj({**fields, "_id": id_of(table_name), "_creationTime": NUMBER}, name=name, module=DATA_MODEL)


SESSION_DOC = document("SessionsDoc", "sessions", SESSION)
MESSAGE_DOCS = (
    document("MessagesDoc1", "messages", TEXT_MESSAGE),
    document("MessagesDoc2", "messages", FILE_MESSAGE),
)
OPTIONS = obj(
    {"numItems": NUMBER, "cursor": union(STRING, NULL)}, name="PaginationOptions", module="convexpy"
)
PAGE = obj(
    {"page": array(SESSION_DOC), "isDone": {"type": "boolean"}, "continueCursor": STRING},
    name="PaginationResult",
    module="convexpy",
)
WHOLE = {"type": "number", "int": True}


def render_files(analysis: dict[str, Any], **wanted: bool) -> dict[str, str]:
    return codegen.render_files(msgspec.convert(analysis, AppDescription), **wanted)


def example_analysis() -> dict[str, Any]:
    session = {"sessionId": id_of("sessions")}
    return {
        "schema": schema_of(
            {
                "users": table(
                    obj({"tokenIdentifier": STRING, "name": STRING, "email": optional(STRING)}),
                    index("by_token", "tokenIdentifier"),
                ),
                "sessions": table(
                    obj(SESSION),
                    index("by_userId", "userId"),
                    index("by_status_started", "status", "startedAt"),
                    index("by_city", "origin.city"),
                    index("by_started", "startedAt", staged=True),
                ),
                "messages": table(
                    union(obj(TEXT_MESSAGE), obj(FILE_MESSAGE)),
                    index("by_session", "sessionId"),
                    search=[
                        {
                            "name": "search_text",
                            "searchField": "text",
                            "filterFields": ["sessionId"],
                            "staged": False,
                        }
                    ],
                    vector=[
                        {
                            "name": "by_embedding",
                            "vectorField": "embedding",
                            "dimensions": 384,
                            "filterFields": ["sessionId"],
                            "staged": False,
                        }
                    ],
                ),
            }
        ),
        "functions": [
            function(
                "agents:check", "action", obj({"storageId": id_of("_storage")}), WHOLE, 30, internal=True
            ),
            function(
                "agents:similar",
                "action",
                obj({**session, "vector": array(NUMBER)}),
                array(union(*MESSAGE_DOCS)),
                10,
            ),
            function("agents:transcript", "action", obj(session), id_of("_storage"), 20),
            function("messages:list", "query", obj(session), array(STRING), 10),
            function(
                "messages:load",
                "query",
                obj({"ids": array(id_of("messages"))}),
                array(union(*MESSAGE_DOCS, NULL)),
                40,
                internal=True,
            ),
            function(
                "messages:search",
                "query",
                obj({"text": STRING, "sessionId": optional(union(id_of("sessions"), NULL), default=True)}),
                array(union(*MESSAGE_DOCS)),
                30,
            ),
            function(
                "messages:send",
                "mutation",
                obj({**session, "kind": literal("text"), "text": STRING}),
                id_of("messages"),
                20,
            ),
            function(
                "sessions/mutations:create", "mutation", obj({"city": optional(STRING)}), id_of("sessions"), 1
            ),
            function(
                "sessions/mutations:remind",
                "mutation",
                obj({**session, "again": optional({"type": "boolean"}, default=True)}),
                NULL,
                3,
                internal=True,
            ),
            function(
                "sessions/mutations:set_status", "mutation", obj({**session, "status": STATUS}), NULL, 2
            ),
            function("sessions/queries:get", "query", obj(session), union(SESSION_DOC, NULL), 1),
            function(
                "sessions/queries:list", "query", obj({"since": NUMBER, "paginationOpts": OPTIONS}), PAGE, 2
            ),
            function(
                "sessions/queries:reminder_state",
                "query",
                obj({"job": id_of("_scheduled_functions")}),
                union(STRING, NULL),
                3,
            ),
            function(
                "users:profile",
                "query",
                obj({}),
                obj({"name": STRING, "sessions": WHOLE}, name="Profile", module="_app.users"),
                1,
            ),
            function(
                "users:sessionsOfMine",
                "query",
                obj({"limit": optional(WHOLE, default=True)}),
                array(SESSION_DOC),
                2,
            ),
            function(
                "users:upsert",
                "mutation",
                obj({"tokenIdentifier": STRING, "name": STRING}),
                id_of("users"),
                3,
                internal=True,
            ),
        ],
    }


PYTHON = ["api.py", "api.pyi", "data_model.py", "server.py", "server.pyi"]
TYPESCRIPT = ["api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts"]


@pytest.mark.parametrize("name", [*PYTHON, *TYPESCRIPT])
def test_the_example_app_gives_exactly_these_files(name: str) -> None:
    text = render_files(example_analysis(), typescript=True)[name]
    assert text == (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")


def odd_analysis() -> dict[str, Any]:
    """Names that Python cannot write or that hide something, and every shape of table."""
    nested = obj(
        {"id": STRING, "tags": array(obj({"list": array(STRING), "float": NUMBER})), "two words": STRING}
    )
    things = obj(
        {
            "class": STRING,
            "str": STRING,
            "Literal": literal("x"),
            "self": NUMBER,
            "deep": optional(nested),
            "either": union(obj({"a": NUMBER}), obj({"b": NUMBER})),
            "by_id": {
                "type": "record",
                "keys": id_of("things"),
                "values": {"fieldType": NUMBER, "optional": False},
            },
            "large": {"type": "bigint"},
            "flag": union(literal(True), literal(1), literal(2.5), NULL),
            "raw": {"type": "bytes"},
            "elsewhere": id_of("not_in_schema"),
            "quote": literal('say "hi"'),
        }
    )
    tables = {
        "things": table(
            things, index("odd", "self", "class"), index("deep", "deep.id"), index("object", "deep")
        ),
        "loose_ones": table({"type": "any"}, index("by_a", "a")),
    }
    item = obj({"import": STRING, "note": optional(STRING)}, name="Item", module="_app.shop")
    return {
        "schema": schema_of(tables, strict=False),
        "functions": [
            function("shop:import", "mutation", obj({"class": STRING, "x": NUMBER}), {"type": "any"}, 1),
            function("shop:default", "query", {"type": "any"}, None, 2),
            function("shop/deep:list", "query", obj({"item": item}), array(item), 3),
            function("shop_deep:list", "query", obj({}), obj({}), 4),
            function("shop:wait", "action", obj({}), item, 5),
        ],
    }


ANALYSES = {
    "example": example_analysis(),
    "odd": odd_analysis(),
    "no schema": {"schema": None, "functions": []},
    "one table": {"schema": schema_of({"notes": table(obj({"text": STRING}))}), "functions": []},
    "no tables": {"schema": schema_of({}), "functions": []},
}


@pytest.mark.parametrize("analysis", ANALYSES.values(), ids=ANALYSES.keys())
def test_every_file_is_valid_python(analysis: dict[str, Any]) -> None:
    for name, text in render_files(analysis).items():
        ast.parse(text, name)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_a_single_table_has_no_overloads_where_one_form_is_enough() -> None:
    text = render_files(ANALYSES["one table"])["server.pyi"]
    assert '    def query(self, table: Literal["notes"], /) -> _NotesQuery: ...' in text
    assert "@overload\n    def query" not in text
    # Of several forms the last that comes as far as the others is explained.
    own = [line for line in text.splitlines() if "def insert" in line]
    assert own[-1] == '    def insert(self, table: Literal["notes"], value: NotesFields, /) -> NotesId: ...'
    assert "_Id: TypeAlias = NotesId" in text


def test_a_table_without_required_fields_has_forms_that_do_not_overlap() -> None:
    analysis = {"schema": schema_of({"people": table(obj({"name": optional(STRING)}))}), "functions": []}
    text = render_files(analysis)["server.pyi"]
    assert "def patch(self, id: PeopleId, value: ModelInstance, /)" in text
    assert "def patch(self, id: PeopleId, value: PeoplePatch, /)" in text
    assert "PeopleFields | ModelInstance" not in text


def test_without_strict_table_names_any_table_is_taken() -> None:
    assert (
        "def query(self, table: str, /) -> TableQuery[dict[str, Any]]: ..."
        in render_files(odd_analysis())["server.pyi"]
    )


def test_staged_indexes_are_left_out() -> None:
    assert "by_started" not in render_files(example_analysis())["server.pyi"]


def test_two_tables_with_one_name_are_refused() -> None:
    tables = {"list_items": table(obj({})), "listItems": table(obj({}))}
    with pytest.raises(ProjectError, match="list_items") as caught:
        render_files({"schema": schema_of(tables), "functions": []})
    assert "listItems" in caught.value.message


def test_modules_whose_signatures_would_clash_get_different_names() -> None:
    text = render_files(odd_analysis())["api.pyi"]
    assert "def _shop_deep_list(" in text
    assert "def _shop_deep_list2(" in text


def test_a_function_that_no_attribute_can_name_is_left_out_of_the_tree() -> None:
    tree = render_files(odd_analysis())["api.pyi"].partition("# api\n")[2]
    assert "import" not in tree


def test_the_order_of_the_description_changes_nothing() -> None:
    analysis = example_analysis()
    analysis["functions"].reverse()
    assert render_files(analysis, typescript=True) == render_files(example_analysis(), typescript=True)


def test_only_what_is_wanted_is_rendered() -> None:
    assert sorted(render_files(example_analysis())) == PYTHON
    assert sorted(render_files(example_analysis(), python=False, typescript=True)) == TYPESCRIPT
    assert render_files(example_analysis(), python=False) == {}


def test_a_description_survives_json() -> None:
    copied = json.loads(json.dumps(odd_analysis()))
    assert render_files(copied, typescript=True) == render_files(odd_analysis(), typescript=True)


def test_only_changed_files_are_written(tmp_path: Path) -> None:
    files = render_files(example_analysis())
    assert write_files(tmp_path, files) == sorted(files)
    before = (tmp_path / "_generated" / "api.pyi").stat().st_mtime_ns
    changed = {**files, "server.py": files["server.py"] + "# more\n"}
    assert stale_files(tmp_path, changed) == ["server.py"]
    assert write_files(tmp_path, changed) == ["server.py"]
    assert (tmp_path / "_generated" / "api.pyi").stat().st_mtime_ns == before
    assert sorted(path.name for path in (tmp_path / "_generated").iterdir()) == sorted(files)


def test_files_can_be_written_elsewhere_and_others_stay(tmp_path: Path) -> None:
    files = render_files(example_analysis(), python=False, typescript=True)
    elsewhere = tmp_path / "web" / "types"
    elsewhere.mkdir(parents=True)
    (elsewhere / "mine.d.ts").write_text("export {};\n")
    assert write_files(tmp_path / "convex", files, folder=elsewhere) == TYPESCRIPT
    assert stale_files(tmp_path / "convex", files, folder=elsewhere) == []
    assert stale_files(tmp_path / "convex", files) == TYPESCRIPT
    assert sorted(path.name for path in elsewhere.iterdir()) == sorted([*TYPESCRIPT, "mine.d.ts"])
    assert not (tmp_path / "convex").exists()
