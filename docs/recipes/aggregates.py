"""200,000 rows, and what they add up to."""

import numpy as np
import pandas as pd

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")

rows = 200_000
orders = pd.DataFrame({"id": np.arange(rows), "city": np.arange(rows) % 7, "amount": np.arange(rows) % 100})
print(kalam.write(orders, "shop.orders", create=True, key="id"))

# Sums over a table of any size are exact, or the result says that they may not be.
totals = kalam.query("SELECT city, sum(amount) AS total, count(*) AS n FROM shop.orders GROUP BY city", engine="local")
print(totals, totals.attrs["completeness"])
assert totals["n"].sum() == rows
assert totals["total"].sum() == orders["amount"].sum()
kalam.close()
