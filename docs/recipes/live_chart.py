"""A chart that is drawn anew with each change."""

import altair
from IPython.display import display

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE lab")
kalam.execute_query("CREATE TABLE lab.points (id INT PRIMARY KEY, x DOUBLE, y DOUBLE) WITH (TYPE = 'SHARED')")
kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (1, 1, 2), (2, 2, 4.5)")


def chart(frame):
    return altair.Chart(frame).mark_line(point=True).encode(x="x:Q", y="y:Q")


live = kalam.live("SELECT id, x, y FROM lab.points")
shown = display(chart(live.df()), display_id=True)  # None outside of a notebook
batches = live.batches()  # what happens from now on
kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (3, 3, 9)")

for _changes in batches:
    drawn = chart(live.df())
    if shown is not None:
        shown.update(drawn)
    print(live.num_rows, "points")
    if live.num_rows == 3:  # in a notebook: until the stop button
        break
kalam.close()
