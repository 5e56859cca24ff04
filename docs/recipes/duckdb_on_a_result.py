"""DuckDB over results: any SQL that it has, on exact rows."""

import duckdb
import pandas as pd

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
orders = pd.DataFrame({"id": range(1, 7), "day": [1, 1, 2, 2, 3, 3], "amount": [5, 7, 2, 9, 4, 4]})
kalam.write(orders, "shop.orders", create=True, key="id")

orders = kalam.query_arrow("SELECT * FROM shop.orders")  # DuckDB finds it by the name of the variable
running = duckdb.sql("SELECT day, sum(sum(amount)) OVER (ORDER BY day) AS so_far FROM orders GROUP BY day ORDER BY day")
print(running.df())
assert running.fetchall() == [(1, 12), (2, 23), (3, 31)]
kalam.close()
