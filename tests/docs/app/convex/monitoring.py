from ._generated.server import MutationCtx, internal_mutation


@internal_mutation
def health(ctx: MutationCtx) -> None: ...
