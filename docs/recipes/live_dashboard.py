"""A live dashboard: a table and its totals, which follow the server."""

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE shop")
kalam.execute_query("CREATE TABLE shop.orders (id INT PRIMARY KEY, city TEXT, amount INT) WITH (TYPE = 'SHARED')")

orders = kalam.live("SELECT * FROM shop.orders WHERE amount > 10")
totals = kalam.live("SELECT city, sum(amount) AS total FROM shop.orders GROUP BY city")
# In a notebook `orders` and `totals` as the last expressions of two cells show them, and they stay live.

kalam.execute_query("INSERT INTO shop.orders (id, city, amount) VALUES (1, 'Bonn', 20), (2, 'Bonn', 5), (3, 'Oslo', 7)")
orders.wait_for(lambda rows: rows.num_rows == 1, timeout=10)
totals.wait_for(lambda rows: rows.num_rows == 2, timeout=10)
print(orders.df(), totals.df(), sep="\n")
print(orders.verify())  # the proof that it is what the server holds
kalam.close()
