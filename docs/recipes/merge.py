"""Two tables and a file, merged in pandas and written back."""

from pathlib import Path

import pandas as pd

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
Path("prices.csv").write_text("sku,price\na,9.90\nb,12.50\nc,3.00\n")

prices = pd.read_csv("prices.csv")
stock = pd.DataFrame({"sku": ["a", "b", "d"], "count": [5, 0, 2]})
kalam.write(prices, "shop.prices", create=True, key="sku")
kalam.write(stock, "shop.stock", create=True, key="sku")

merged = kalam.query("SELECT * FROM shop.stock").merge(kalam.query("SELECT * FROM shop.prices"), on="sku", how="left")
print(kalam.write(merged, "shop.catalog", create=True, key="sku", nan="null"))  # "d" has no price: NULL
print(kalam.query("SELECT sku, count, price FROM shop.catalog ORDER BY sku"))
kalam.close()
