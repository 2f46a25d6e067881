"""Books, customers and orders: what the pictures of the dashboard show."""

from typing import Any, Literal

from convexpy import ActionCtx, MutationCtx, QueryCtx, action, internal_mutation, mutation, query

BOOKS = [
    ("The Left Hand of Darkness", "Ursula K. Le Guin"),
    ("Piranesi", "Susanna Clarke"),
    ("The Dispossessed", "Ursula K. Le Guin"),
    ("Kindred", "Octavia Butler"),
    ("Solaris", "Stanisław Lem"),
    ("Middlemarch", "George Eliot"),
    ("Invisible Cities", "Italo Calvino"),
    ("The Waves", "Virginia Woolf"),
]
NAMES = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Katherine Johnson", "Edsger Dijkstra", "Barbara Liskov"]
STATES = ["new", "paid", "shipped", "failed", "paid"]


@query
def recent_orders(
    ctx: QueryCtx, status: Literal["new", "paid", "shipped", "failed"] | None = None, limit: int = 10
) -> list[Any]:
    """The newest orders, of one state or of all."""
    rows = ctx.db.query("orders").order("desc").take(limit * 5)
    return [row for row in rows if status is None or row["status"] == status][:limit]


@query
def order_book(ctx: QueryCtx) -> dict[str, Any]:
    """A book and a customer, to order with."""
    return {
        "books": [each["_id"] for each in ctx.db.query("books").collect()],
        "customers": [each["_id"] for each in ctx.db.query("customers").collect()],
    }


@mutation
def place_order(ctx: MutationCtx, customer: str, book: str, copies: int = 1, note: str | None = None) -> str:
    """Order copies of a book; refuses more than there are."""
    found = ctx.db.get(book)
    assert found is not None
    if found["stock"] < copies:
        print(f"only {found['stock']} of {found['title']!r} left")
        raise ValueError("not enough in stock")
    ctx.db.patch(book, {"stock": found["stock"] - copies})
    print(f"{copies} × {found['title']}")
    order = {"customer": customer, "book": book, "status": "new", "total": copies * found["price"]}
    id = ctx.db.insert("orders", order | ({} if note is None else {"note": note}))
    ctx.scheduler.run_after(3_600_000, "shop:remind", {"order": id})
    return id


@internal_mutation
def remind(ctx: MutationCtx, order: str) -> None:
    """Remind a customer of an order that is not paid."""
    print(f"reminded of {order}")


@internal_mutation
def close_day(ctx: MutationCtx) -> None:
    """Close the day."""
    print("day closed")


@action
async def check_prices(ctx: ActionCtx) -> int:
    """Compare prices."""
    print("checking prices")
    return 3


@mutation
def seed(ctx: MutationCtx, count: int) -> None:
    """Fill the shop."""
    books = [
        ctx.db.insert("books", {"title": title, "author": author, "price": 9.5 + 2 * n, "stock": 40 + 7 * n, "tags": ["fiction", "classic"][: 1 + n % 2]})
        for n, (title, author) in enumerate(BOOKS)
    ]
    customers = [
        ctx.db.insert("customers", {"name": name, "email": f"{name.split()[0].lower()}@example.com", "vip": n % 3 == 0})
        for n, name in enumerate(NAMES)
    ]
    for n in range(count):
        order = {"customer": customers[n % 6], "book": books[n * 5 % 8], "status": STATES[n % 5], "total": round(9.5 + n * 1.37 % 80, 2)}
        ctx.db.insert("orders", order | ({"note": "Please wrap it as a gift."} if n % 7 == 0 else {}))
    for n in range(12):
        ctx.db.insert("reviews", {"book": books[n % 8], "stars": 3 + n % 3, "text": "I read it in one night."})
