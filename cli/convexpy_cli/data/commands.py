"""`convexpy data`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command

_DECODE = Option("--decode", help="plain numbers and base64 in place of $integer, $bytes")
_INDEX = Option("--index", help="read through this index")
_WHERE = Option("--where", help='condition, for example: status == "failed" and size > 10')


@leaf_command(
    formats=("human", "plain", "table", "pretty", "json", "jsonl", "csv"),
    examples=(
        "convexpy data",
        "convexpy data messages --limit 20",
        "convexpy data messages --index by_channel --eq channel=general --order asc --format csv",
        "convexpy data sessions --where 'status == \"failed\"' --all --format jsonl",
    ),
)
def data(
    run: Invocation,
    table: Annotated[str | None, Argument(metavar="TABLE", help="without: all tables")] = None,
    limit: Annotated[int, Option("--limit", help="how many documents")] = 100,
    order: Annotated[str, Option("--order", help="desc (newest first) or asc")] = "desc",
    index: Annotated[str | None, _INDEX] = None,
    eq: Annotated[list[str] | None, Option("--eq", help="field=value, fields in the index's order")] = None,
    gt: Annotated[list[str] | None, Option("--gt", help="field=value, after --eq")] = None,
    gte: Annotated[list[str] | None, Option("--gte", help="field=value")] = None,
    lt: Annotated[list[str] | None, Option("--lt", help="field=value")] = None,
    lte: Annotated[list[str] | None, Option("--lte", help="field=value")] = None,
    where: Annotated[str | None, _WHERE] = None,
    fields: Annotated[str | None, Option("--fields", help="only these, with commas between")] = None,
    cursor: Annotated[str | None, Option("--cursor", help="go on where a list ended")] = None,
    everything: Annotated[bool, Option("--all", help="all documents")] = False,
    decode: Annotated[bool, _DECODE] = False,
) -> None:
    """Show tables, or the documents of one.

    `data get|insert|patch|delete` show and change single documents. System tables (_storage, _scheduled_functions) can
    be read, too.

    Exit codes: 0 done, 1 no such table, 2 wrong index, condition or value.
    """
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    if order not in ("asc", "desc"):
        raise errors.usage(f"--order {order!r} is unknown", "asc or desc")
    if limit < 1:
        raise errors.usage("--limit is at least 1", "--all shows everything")
    with run.connected("data") as (_, client):
        if table is None:
            found = DataClient(client).tables()
            run.output.table(
                ["table", "documents", "size", "indexes"],
                [reading.table_cells(each) for each in found],
                found,
            )
            return
        described = reading.check_table(client, table)
        bounds = {"eq": eq or (), "gt": gt or (), "gte": gte or (), "lt": lt or (), "lte": lte or ()}
        query = reading.query_of(table, described, order=order, index=index, bounds=bounds, where=where)
        names = fields.split(",") if fields else None
        if everything and run.settings.format == "jsonl" and names is None:
            reading.write_lines(DataClient(client).documents(query, decode=decode))
            return
        documents, more = reading.read(
            DataClient(client), query, limit=None if everything else limit, cursor=cursor, decode=decode
        )
    reading.show(run, documents, names, more)


@leaf_command(examples=("convexpy data get jd7…",))
def data_get(
    run: Invocation,
    id: Annotated[str, Argument(help="the document's id")],
    decode: Annotated[bool, _DECODE] = False,
) -> None:
    """Show a document.

    Exit codes: 0 done, 1 no such document, 2 no id.
    """
    from convexpy.client import DataClient
    from convexpy_cli.functions import call

    with run.connected("data get") as (_, client):
        found = DataClient(client).get(id, decode=decode)
    if found is None:
        raise errors.Failure("DocumentNotFound", f"there is no document {id}", errors.FAILED)
    run.output.detail(f"table {found['table']}")
    run.output.result(found["document"], call.shown(found["document"]))


@leaf_command(
    examples=('convexpy data insert messages \'{"body": "hi"}\'', "convexpy data insert messages @seed.json")
)
def data_insert(
    run: Invocation,
    table: Annotated[str, Argument(metavar="TABLE", help="the table")],
    document: Annotated[str, Argument(metavar="JSON", help="one object or a list; @file, or - for stdin")],
) -> None:
    """Insert documents, all of them or none; print their ids.

    They are checked against the schema. Exit codes: 0 done, 2 no JSON object, 8 the schema does not allow it.
    """
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    documents = reading.documents_of(document)
    with run.connected("data insert", writes=True) as (_, client):
        ids = DataClient(client).insert(table, documents)
    run.output.result(ids, "\n".join(ids))


@leaf_command(
    examples=('convexpy data patch jd7… \'{"status": "done"}\'', "convexpy data patch jd7… '{}' --unset note")
)
def data_patch(
    run: Invocation,
    id: Annotated[str, Argument(help="the document's id")],
    changes: Annotated[str, Argument(metavar="JSON", help="fields to set; @file, or - for stdin")],
    unset: Annotated[list[str] | None, Option("--unset", help="remove this field; repeatable")] = None,
) -> None:
    """Set fields of a document, leave the others; print its id.

    Exit codes: 0 done, 1 no such document, 2 no JSON object, 8 the schema does not allow it.
    """
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    documents = reading.documents_of(changes)
    if len(documents) != 1:
        raise errors.usage("the changes are one JSON object")
    with run.connected("data patch", writes=True) as (_, client):
        DataClient(client).patch(id, documents[0], unset or ())
    run.output.result([id], id)


@leaf_command(
    examples=(
        "convexpy data delete jd7…",
        "convexpy data delete sessions --where 'status == \"failed\"' --allow=data-delete",
    )
)
def data_delete(
    run: Invocation,
    what: Annotated[list[str], Argument(metavar="ID…|TABLE", help="ids, or a table with --where")],
    where: Annotated[str | None, _WHERE] = None,
) -> None:
    """Delete documents: those of the ids (all or none), or those of a table that a condition holds for.

    More than one needs --allow=data-delete; without it the number is shown.

    Exit codes: 0 done, 1 no such document or table, 2 wrong id or condition, 9 no consent.
    """
    from convexpy.client import DataClient, DocumentQuery
    from convexpy_cli.data import reading

    if where is not None and len(what) != 1:
        raise errors.usage("--where is for one table", "convexpy data delete TABLE --where …")
    with run.connected("data delete", writes=True) as (_, client):
        documents = DataClient(client)
        if where is None:
            if len(what) > 1:
                reading.require_consent(run, f"{len(what)} documents")
            count = documents.delete(what)
        else:
            reading.check_table(client, what[0])
            query = DocumentQuery(what[0], "asc", where=where)
            reading.require_consent(run, reading.count_matching(documents, query))
            count = sum(documents.delete_where(query))
    run.output.result({"deleted": count})
    run.output.step("ok", f"{count} deleted")
