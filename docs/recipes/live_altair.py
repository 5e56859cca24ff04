"""A chart of Altair that is drawn anew with each change, in the place where it stands."""

import altair as alt
from IPython.display import display

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query("CREATE TABLE app.rooms (room TEXT PRIMARY KEY, people INT) WITH (TYPE = 'SHARED')")
kalam.execute_query("INSERT INTO app.rooms (room, people) VALUES ('hall', 12), ('lab', 3)")


def draw(table):
    return alt.Chart(table.df()).mark_bar().encode(x="room:N", y="people:Q")


live = kalam.live("SELECT * FROM app.rooms")
shown = display(draw(live), display_id=True)  # None outside of a notebook
if shown is not None:
    stop = live.on_change(lambda table: shown.update(draw(table)))  # in a notebook: until stop()

kalam.execute_query("UPDATE app.rooms SET people = 30 WHERE room = 'lab'")
live.wait_for(lambda table: table.df()["people"].max() == 30, timeout=10)
assert [row["people"] for row in draw(live).to_dict()["datasets"].popitem()[1]] == [12, 30]
live.close()
kalam.close()
