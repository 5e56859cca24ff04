"""A polars pipeline over a table, and its result back on the server."""

import polars as pl

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
orders = pl.DataFrame({"id": [1, 2, 3, 4], "city": ["Bonn", "Oslo", "Bonn", "Rome"], "amount": [5.0, 7.5, 2.5, 1.0]})
kalam.write(orders, "shop.orders", create=True, key="id")

totals = (
    kalam.query_polars("SELECT city, amount FROM shop.orders")
    .group_by("city")
    .agg(pl.col("amount").sum().alias("total"))
    .sort("total", descending=True)
)
print(kalam.write(totals, "shop.totals", create=True, key="city"))
print(kalam.query_polars("SELECT city, total FROM shop.totals ORDER BY total DESC"))
kalam.close()
