"""`convexpy schema`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy.protocol.app_description import SchemaDescription
from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json", "python", "dbml"),
    examples=("convexpy schema show", "convexpy schema show --deployed --format dbml > schema.dbml"),
)
def schema_show(
    run: Invocation,
    table: Annotated[str | None, Argument(metavar="TABLE", help="only this one")] = None,
    deployed: Annotated[bool, Option("--deployed", help="of the deployment, not of the local code")] = False,
) -> None:
    """Show tables, fields and indexes: of the local code, or of a deployment.

    Exit codes: 0 done, 1 no such table, 7 local code that does not import.
    """
    from convexpy_cli.schema import compare, text

    whole = compare.of_deployment(run, "schema show") if deployed else compare.of_code(run)
    schema = compare.only(whole, table)
    written = text.FORMATS.get(run.settings.format, text.human)(schema)
    run.output.result(schema, written.rstrip("\n"))


@leaf_command(
    examples=(
        "convexpy schema diff",
        "convexpy schema diff staging prod",
        "convexpy schema diff prod code --json",
    )
)
def schema_diff(
    run: Invocation,
    before: Annotated[
        str | None, Argument(metavar="A", help="a deployment, or `code` [the deployment]")
    ] = None,
    after: Annotated[str | None, Argument(metavar="B", help="the same [code]")] = None,
) -> int:
    """Show how two schemas differ; by default what the local code changes in the deployment.

    Exit codes: 0 alike, 1 different, 7 local code that does not import.
    """
    from convexpy_cli.schema import compare

    def of(reference: str | None) -> SchemaDescription:
        if reference == compare.LOCAL_CODE:
            return compare.of_code(run)
        return compare.of_deployment(run, "schema diff", reference)

    found = compare.differences(of(before), of(after or compare.LOCAL_CODE))
    run.output.result(found, compare.difference_lines(found) if found else None)
    if not found:
        run.output.note("no difference")
    return errors.FAILED if found else errors.OK


@leaf_command(examples=("convexpy schema check", "convexpy schema check --limit 0 --json"))
def schema_check(
    run: Invocation,
    limit: Annotated[int, Option("--limit", min=0, help="show so many; 0 is all")] = 20,
) -> int:
    """Check the stored documents against the schema of the local code. Nothing is pushed or changed.

    Exit codes: 0 all fit, 7 local code that does not import, 8 some do not fit.
    """
    from convexpy_cli.schema import compare

    schema = compare.of_code(run)

    def looked_at(table: str, total: int) -> None:
        run.output.detail(f"{total:,} documents looked at, now in {table}")

    with run.connected("schema check") as (target, client):
        found, total = compare.misfits(client, schema, limit or None, looked_at)
    lines = [f"{each['table']}  {each['id']}  {' · '.join(each['message'].splitlines())}" for each in found]
    run.output.result(found, "\n".join(lines) if lines else None)
    if not found:
        run.output.step("ok", f"{total:,} documents on {target.name} fit")
        return errors.OK
    more = " (or more: --limit 0)" if limit and len(found) >= limit else ""
    run.output.step("fail", f"{len(found):,} of {total:,} documents do not fit{more}")
    return errors.DATA_MISFIT


@leaf_command(
    formats=("human", "json"),
    examples=("convexpy schema infer > convex/schema.py", "convexpy schema infer messages"),
)
def schema_infer(
    run: Invocation,
    table: Annotated[str | None, Argument(metavar="TABLE", help="only this one")] = None,
    sample: Annotated[
        int, Option("--sample", min=0, help="look at so many documents of a table; 0 is all")
    ] = 10_000,
) -> None:
    """Print the schema.py that stored documents would fit.

    Fields that some documents lack are optional; a text that is one of few is a choice. Look it over before you use it.

    Exit codes: 0 done, 1 no such table.
    """
    from convexpy_cli.schema import compare, text

    with run.connected("schema infer") as (_, client):
        schema = compare.infer(client, table, sample)
    run.output.result(schema, text.python(schema).rstrip("\n"))
