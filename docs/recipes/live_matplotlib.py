"""A chart of matplotlib that is drawn anew with each change, in the place where it stands."""

import matplotlib.pyplot as plt
from IPython.display import display

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE lab")
kalam.execute_query("CREATE TABLE lab.points (id INT PRIMARY KEY, x DOUBLE, y DOUBLE) WITH (TYPE = 'SHARED')")
kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (1, 1, 2), (2, 2, 4.5)")

live = kalam.live("SELECT id, x, y FROM lab.points ORDER BY x")
figure, axes = plt.subplots(figsize=(6, 3))
(line,) = axes.plot(live.df()["x"], live.df()["y"], marker="o")
plt.close(figure)  # Jupyter would show it once more below the cell.

shown = display(figure, display_id=True)  # None outside of a notebook
batches = live.batches()  # what happens from now on
kalam.execute_query("INSERT INTO lab.points (id, x, y) VALUES (3, 3, 9)")

for _changes in batches:
    rows = live.df()
    line.set_data(rows["x"], rows["y"])
    axes.relim()
    axes.autoscale_view()
    if shown is not None:
        shown.update(figure)
    print(len(line.get_xdata()), "points")
    if len(rows) == 3:  # in a notebook: until the stop button
        break
kalam.close()
