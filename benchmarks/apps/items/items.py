from convexpy import MutationCtx, mutation


@mutation
def seed(ctx: MutationCtx, table: str, start: int, count: int) -> None:
    for number in range(start, start + count):
        ctx.db.insert(table, {"number": number, "text": f"item {number}", "done": number % 3 == 0})
