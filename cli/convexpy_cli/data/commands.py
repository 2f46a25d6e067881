"""The commands of `convexpy data`."""

from __future__ import annotations

from typing import Annotated, Literal

from convexpy_cli import completion, errors
from convexpy_cli.command import DEFAULT, argument, command, family, option
from convexpy_cli.context import Context

app = family("Show and change documents.")

DECODE = "Print plain numbers and base64, not $integer and $bytes."
Decode = Annotated[bool, option("--decode", DECODE)]
Where = Annotated[str | None, option("--where CONDITION", 'Filter, e.g. status == "failed" and size > 10.')]
Bounds = list[str] | None
DocumentId = Annotated[str, argument("Id of the document.")]


@command(
    app,
    DEFAULT,
    formats=("human", "plain", "table", "pretty", "json", "jsonl", "csv"),
    examples=(
        "convexpy data messages --index by_channel --eq channel=general --format csv",
        "convexpy data sessions --where 'status == \"failed\"' --all --format jsonl",
    ),
)
def data(
    ctx: Context,
    table: Annotated[
        str | None, argument("Table to show [default: list the tables].", complete=completion.tables)
    ] = None,
    limit: Annotated[int, option("--limit N", "Number of documents.", min=1)] = 100,
    everything: Annotated[bool, option("--all", "Show all documents.")] = False,
    order: Annotated[Literal["desc", "asc"], option("--order", "desc (newest first) or asc.")] = "desc",
    where: Where = None,
    index: Annotated[
        str | None, option("--index NAME", "Read through this index (--eq, --gt, --lt).")
    ] = None,
    eq: Annotated[Bounds, option("--eq F=V", "Field of the index, in order; repeatable.", more=True)] = None,
    gt: Annotated[Bounds, option("--gt F=V", "Lower bound of the next field.", more=True)] = None,
    gte: Annotated[Bounds, option("--gte F=V", "Lower bound, inclusive.", more=True)] = None,
    lt: Annotated[Bounds, option("--lt F=V", "Upper bound of the next field.", more=True)] = None,
    lte: Annotated[Bounds, option("--lte F=V", "Upper bound, inclusive.", more=True)] = None,
    fields: Annotated[str | None, option("--fields A,B", "Show only these fields.", more=True)] = None,
    cursor: Annotated[str | None, option("--cursor", "Continue where a page ended.", more=True)] = None,
    decode: Annotated[bool, option("--decode", DECODE, more=True)] = False,
) -> None:
    """Show tables, or the documents of one. System tables (_storage) too."""
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    with ctx.connected("data") as (_, client):
        if table is None:
            found = DataClient(client).tables()
            columns = ["table", "documents", "size", "indexes"]
            ctx.output.table(columns, [reading.table_cells(each) for each in found], found)
            return
        described = reading.check_table(client, table)
        decode = decode or ctx.settings.format in ("human", "plain", "table", "pretty")
        bounds = {"eq": eq or (), "gt": gt or (), "gte": gte or (), "lt": lt or (), "lte": lte or ()}
        query = reading.query_of(table, described, order=order, index=index, bounds=bounds, where=where)
        names = fields.split(",") if fields else None
        if everything and ctx.settings.format == "jsonl" and names is None:
            reading.write_lines(DataClient(client).documents(query, decode=decode))
            return
        with ctx.output.working(f"reading {table}", quick=True):
            documents, more = reading.read(
                DataClient(client), query, limit=None if everything else limit, cursor=cursor, decode=decode
            )
    reading.show(ctx, documents, names, more, described)


@command(app, "get", examples=("convexpy data get jd7…",))
def data_get(ctx: Context, id: DocumentId, decode: Decode = False) -> None:
    """Show one document."""
    from convexpy.client import DataClient
    from convexpy_cli.functions import call

    with ctx.connected("data get") as (_, client):
        found = DataClient(client).get(id, decode=decode)
    if found is None:
        raise errors.Failure("DocumentNotFound", f"no document {id}")
    ctx.output.detail(f"table {found['table']}")
    ctx.output.result(found["document"], call.shown(found["document"]))


@command(
    app,
    "insert",
    examples=('convexpy data insert messages \'{"body": "hi"}\'', "convexpy data insert messages @seed.json"),
)
def data_insert(
    ctx: Context,
    table: Annotated[str, argument("Table to insert into.", complete=completion.tables)],
    document: Annotated[str, argument("A document or a list; @FILE, or - for stdin.", "JSON")],
) -> None:
    """Insert documents and print their ids. Either all of them are inserted or none."""
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    documents = reading.documents_of(document)
    with ctx.connected("data insert", writes=True) as (_, client):
        ids = DataClient(client).insert(table, documents)
    ctx.output.result(ids, "\n".join(ids))


@command(
    app,
    "patch",
    examples=(
        'convexpy data patch jd7… \'{"status": "done"}\'',
        "convexpy data patch jd7… '{}' --unset note",
    ),
)
def data_patch(
    ctx: Context,
    id: DocumentId,
    changes: Annotated[str, argument("Fields to set; @FILE, or - for stdin.", "JSON")],
    unset: Annotated[list[str] | None, option("--unset FIELD", "Remove this field; repeatable.")] = None,
) -> None:
    """Set fields of a document and keep the others."""
    from convexpy.client import DataClient
    from convexpy_cli.data import reading

    documents = reading.documents_of(changes)
    if len(documents) != 1:
        raise errors.usage("the changes must be one JSON object")
    with ctx.connected("data patch", writes=True) as (_, client):
        DataClient(client).patch(id, documents[0], unset or ())
    ctx.output.result([id], id)


@command(
    app,
    "delete",
    examples=(
        "convexpy data delete jd7…",
        "convexpy data delete sessions --where 'status == \"failed\"' --allow=data-delete",
    ),
)
def data_delete(
    ctx: Context,
    what: Annotated[list[str], argument("Ids, or a table with --where.", "ID|TABLE")],
    where: Where = None,
) -> None:
    """Delete documents by id or by condition.

    Deleting more than one requires --allow=data-delete; without it, the number of documents is shown.
    """
    from convexpy.client import DataClient, DocumentQuery
    from convexpy_cli.data import reading

    if where is not None and len(what) != 1:
        raise errors.usage("--where needs exactly one table", "convexpy data delete TABLE --where …")
    with ctx.connected("data delete", writes=True) as (_, client):
        documents = DataClient(client)
        if where is None:
            if len(what) > 1:
                reading.require_consent(ctx, f"{len(what)} documents")
            count = documents.delete(what)
        else:
            reading.check_table(client, what[0])
            query = DocumentQuery(what[0], "asc", where=where)
            reading.require_consent(ctx, reading.count_matching(documents, query))
            count = sum(documents.delete_where(query))
    ctx.output.result({"deleted": count})
    ctx.output.step("ok", f"{count} deleted")
