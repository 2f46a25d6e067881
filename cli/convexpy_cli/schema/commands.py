"""The commands of `convexpy schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from convexpy.printable import counted
from convexpy_cli import completion, errors
from convexpy_cli.command import argument, command, family, option
from convexpy_cli.context import Context

if TYPE_CHECKING:
    from convexpy.protocol.app_description import SchemaDescription

app = family("Show, compare and check schemas.")

Table = Annotated[str | None, argument("Only this table.", "TABLE", complete=completion.tables)]


@command(
    app,
    "show",
    formats=("human", "plain", "json", "python", "dbml"),
    examples=("convexpy schema show", "convexpy schema show --deployed --format dbml > schema.dbml"),
)
def schema_show(
    ctx: Context,
    table: Table = None,
    deployed: Annotated[
        bool, option("--deployed", "Show the deployment's schema, not that of the local code.")
    ] = False,
) -> None:
    """Show tables, fields and indexes. Formats are human, plain, json, python and dbml."""
    from convexpy_cli.schema import compare, text

    whole = compare.of_deployment(ctx, "schema show") if deployed else compare.of_code(ctx)
    schema = compare.only(whole, table)
    written = text.FORMATS.get(ctx.settings.format, text.human)(schema)
    ctx.output.result(schema, written.rstrip("\n"))


@command(
    app,
    "diff",
    examples=(
        "convexpy schema diff",
        "convexpy schema diff staging prod",
        "convexpy schema diff prod code --json",
    ),
)
def schema_diff(
    ctx: Context,
    before: Annotated[str | None, argument("A deployment, or code [default: the deployment].", "A")] = None,
    after: Annotated[str | None, argument("A deployment, or code [default: code].", "B")] = None,
) -> int:
    """Compare two schemas.

    By default it shows what the local code changes in the deployment. Exits with 1 if they differ.
    """
    from convexpy_cli.schema import compare

    def of(reference: str | None) -> SchemaDescription:
        if reference == compare.LOCAL_CODE:
            return compare.of_code(ctx)
        return compare.of_deployment(ctx, "schema diff", reference)

    found = compare.differences(of(before), of(after or compare.LOCAL_CODE))
    ctx.output.result(found, compare.difference_lines(found) if found else None)
    if not found:
        ctx.output.note("no differences")
    return errors.FAILED if found else errors.OK


@command(app, "check", examples=("convexpy schema check", "convexpy schema check --limit 0 --json"))
def schema_check(
    ctx: Context,
    limit: Annotated[int, option("--limit N", "Show at most N; 0 for all.", min=0)] = 20,
) -> int:
    """Check stored documents against the schema of the local code. Nothing is pushed or changed.

    Exits with 8 if there are schema violations.
    """
    from convexpy_cli.schema import compare

    schema = compare.of_code(ctx)

    def checked(table: str, total: int) -> None:
        ctx.output.detail(f"{counted(total, 'document')} checked, now in {table}")

    with (
        ctx.connected("schema check") as (target, client),
        ctx.output.working("checking stored documents", quick=True),
    ):
        found, total = compare.violations(client, schema, limit or None, checked)
    lines = [f"{each['table']}  {each['id']}  {' · '.join(each['message'].splitlines())}" for each in found]
    ctx.output.result(found, "\n".join(lines) if lines else None)
    if not found:
        ctx.output.step(
            "ok",
            f"{counted(total, 'document')} on {target.name} {'matches' if total == 1 else 'match'} the schema",
        )
        return errors.OK
    more = " (stopped there; --limit 0 checks all)" if limit and len(found) >= limit else ""
    ctx.output.step("fail", f"{len(found):,} of {counted(total, 'document')} violate the schema{more}")
    return errors.SCHEMA_VIOLATED


@command(
    app, "infer", examples=("convexpy schema infer > convex/schema.py", "convexpy schema infer messages")
)
def schema_infer(
    ctx: Context,
    table: Table = None,
    sample: Annotated[int, option("--sample N", "Documents to read per table; 0 for all.", min=0)] = 10_000,
) -> None:
    """Print a schema.py that matches the stored documents.

    Fields that some documents lack become optional. Strings with few distinct values become literals.
    """
    from convexpy_cli.schema import compare, text

    with (
        ctx.connected("schema infer") as (_, client),
        ctx.output.working("reading stored documents", quick=True),
    ):
        schema = compare.infer(client, table, sample)
    ctx.output.result(schema, text.python(schema).rstrip("\n"))
