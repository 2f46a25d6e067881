"""A folder with functions of its own."""

from convexpy import query, v


@query(args={}, returns=v.boolean())
def open_now(ctx):
    return True


@query(args={}, returns=v.string(), name="stock")
def stock_of_shop(ctx):
    return "as a function and as a folder"
