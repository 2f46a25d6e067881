from ._generated.server import MutationCtx, internal_mutation


@internal_mutation
def cleanup(ctx: MutationCtx) -> None: ...


@internal_mutation
def weekly(ctx: MutationCtx) -> None: ...
