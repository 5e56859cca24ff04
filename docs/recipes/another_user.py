"""Somebody else: a login of their own, and their rows of a USER table."""

import kalam_notebook as kalam

admin = kalam.connect("sandbox", name="admin")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query("CREATE USER 'ada' WITH PASSWORD 'Lovelace-1815' ROLE 'user'")
kalam.execute_query("CREATE TABLE app.notes (id INT PRIMARY KEY, text TEXT) WITH (TYPE = 'USER')")

ada = kalam.connect(admin.url, user="ada", password="Lovelace-1815", name="ada")
ada.execute_query("INSERT INTO app.notes (id, text) VALUES (1, 'mine')")
assert len(ada.query("SELECT * FROM app.notes")) == 1
assert admin.query("SELECT * FROM app.notes").empty  # each user has rows of their own

# An administrator looks at them as that user; the name is quoted.
seen = admin.query("EXECUTE AS USER 'ada' (SELECT id, text FROM app.notes)")
assert seen["text"].tolist() == ["mine"]
kalam.use("admin")  # the module's functions speak as root again
kalam.close()
