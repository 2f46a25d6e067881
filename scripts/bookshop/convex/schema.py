from convexpy import define_schema, define_table, v

schema = define_schema(
    {
        "customers": define_table({"name": v.string(), "email": v.string(), "vip": v.boolean()}).index("by_email", ["email"]),
        "books": define_table(
            {
                "title": v.string(),
                "author": v.string(),
                "price": v.number(),
                "stock": v.number(),
                "tags": v.array(v.string()),
                "cover": v.optional(v.id("_storage")),
            }
        ).index("by_author", ["author", "title"]).index("by_price", ["price"]),
        "orders": define_table(
            {
                "customer": v.id("customers"),
                "book": v.id("books"),
                "status": v.union(v.literal("new"), v.literal("paid"), v.literal("shipped"), v.literal("failed")),
                "total": v.number(),
                "note": v.optional(v.string()),
            }
        ).index("by_status", ["status"]).index("by_customer", ["customer"]),
        "reviews": define_table({"book": v.id("books"), "stars": v.number(), "text": v.string()}).index("by_book", ["book"]),
    }
)
