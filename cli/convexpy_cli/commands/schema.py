"""`convexpy schema`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import failure
from convexpy_cli.invocation import Invocation
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
    from convexpy_cli import schema_text, schema_work

    whole = schema_work.of_deployment(run, "schema show") if deployed else schema_work.of_code(run)
    schema = schema_work.only(whole, table)
    written = schema_text.FORMATS.get(run.settings.format, schema_text.human)(schema)
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
    from convexpy_cli import schema_work

    def of(reference: str | None) -> dict[str, object]:
        if reference == schema_work.LOCAL_CODE:
            return schema_work.of_code(run)
        return schema_work.of_deployment(run, "schema diff", reference)

    found = schema_work.differences(of(before), of(after or schema_work.LOCAL_CODE))
    run.output.result(found, schema_work.difference_lines(found) if found else None)
    if not found:
        run.output.note("no difference")
    return failure.FAILED if found else failure.OK


@leaf_command(examples=("convexpy schema check", "convexpy schema check --limit 0 --json"))
def schema_check(
    run: Invocation,
    limit: Annotated[int, Option("--limit", min=0, help="show so many; 0 is all")] = 20,
) -> int:
    """Check the stored documents against the schema of the local code. Nothing is pushed or changed.

    Exit codes: 0 all fit, 7 local code that does not import, 8 some do not fit.
    """
    from convexpy_cli import schema_work, targets

    schema = schema_work.of_code(run)

    def looked_at(table: str, total: int) -> None:
        run.output.detail(f"{total:,} documents looked at, now in {table}")

    with targets.connected(run, "schema check") as (target, client):
        found, total = schema_work.misfits(client, schema, limit or None, looked_at)
    lines = [f"{each['table']}  {each['id']}  {' · '.join(each['message'].splitlines())}" for each in found]
    run.output.result(found, "\n".join(lines) if lines else None)
    if not found:
        run.output.step("ok", f"{total:,} documents on {target.name} fit")
        return failure.OK
    more = " (or more: --limit 0)" if limit and len(found) >= limit else ""
    run.output.step("fail", f"{len(found):,} of {total:,} documents do not fit{more}")
    return failure.DATA_MISFIT


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
    from convexpy_cli import schema_text, schema_work, targets

    with targets.connected(run, "schema infer") as (_, client):
        schema = schema_work.infer(client, table, sample)
    run.output.result(schema, schema_text.python(schema).rstrip("\n"))
