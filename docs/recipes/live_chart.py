"""A chart that follows the server: it shows itself in a notebook, and stays there as a picture."""

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE lab")
kalam.execute_query("CREATE TABLE lab.points (id INT PRIMARY KEY, x DOUBLE, y DOUBLE) WITH (TYPE = 'SHARED')")
kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (1, 1, 2), (2, 2, 4.5)")

live = kalam.live("SELECT id, x, y FROM lab.points")
chart = live.chart(x="x", y="y")
# In a notebook `chart` as the last expression of a cell shows it; `kind` and several columns: the page on live tables.

kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (3, 3, 9)")
live.wait_for(3, timeout=10)
print(live.df())
kalam.close()
