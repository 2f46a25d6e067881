from ._generated.server import MutationCtx, internal_mutation


@internal_mutation
def check(ctx: MutationCtx, sessionId: str) -> None: ...


@internal_mutation
def greet(ctx: MutationCtx, name: str) -> None: ...
