"""Two servers: what one has and the other has not."""

import pandas as pd

import kalam_notebook as kalam

with kalam.sandbox() as old_server, kalam.sandbox() as new_server:
    old = kalam.connect(old_server.url, user="root", password=old_server.root_password, name="old")
    new = kalam.connect(new_server.url, user="root", password=new_server.root_password, name="new")
    for client in (old, new):
        client.execute_query("CREATE NAMESPACE app")
    old.write(pd.DataFrame({"id": [1, 2, 3], "n": [10, 20, 30]}), "app.t", create=True, key="id")
    new.write(pd.DataFrame({"id": [1, 2], "n": [10, 25]}), "app.t", create=True, key="id")

    both = old.query("SELECT id, n FROM app.t").merge(
        new.query("SELECT id, n FROM app.t"), on="id", how="outer", suffixes=("_old", "_new"), indicator=True
    )
    print(both[(both["_merge"] != "both") | (both["n_old"] != both["n_new"])])

    report = new.write(old.query("SELECT id, n FROM app.t"), "app.t", mode="upsert")  # only what differs
    assert (report.inserted, report.updated, report.unchanged) == (1, 1, 1)
    kalam.close()
