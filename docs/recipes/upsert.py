"""Read a frame, change it, write back what differs."""

import pandas as pd

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE crm")
people = pd.DataFrame({"id": [1, 2, 3], "name": ["Ada", "Bo", "Cy"], "visits": [0, 0, 0]})
kalam.write(people, "crm.people", create=True, key="id")

frame = kalam.query("SELECT * FROM crm.people").set_index("id")  # an index that is the key is written, too
frame.loc[2, "visits"] += 1
frame.loc[4] = ["Di", 1]
report = kalam.write(frame, "crm.people", mode="upsert")
print(report)
assert (report.updated, report.inserted, report.unchanged) == (1, 1, 2)
kalam.close()
