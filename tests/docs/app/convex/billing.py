from ._generated.server import MutationCtx, internal_mutation


@internal_mutation
def run(ctx: MutationCtx) -> None: ...
