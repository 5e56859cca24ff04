"""Lists: as values of IN, in a JSON column, and as embeddings that are searched by distance."""

import json

import pandas as pd

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query(
    "CREATE TABLE app.notes (id BIGINT PRIMARY KEY, room TEXT, tags JSON, place EMBEDDING(3)) WITH (TYPE = 'SHARED')"
)
notes = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "room": ["hall", "lab", "roof"],
        "tags": [["new", "red"], [], None],
        "place": [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]],
    }
)
print(kalam.write(notes, "app.notes"))

# A list that is the only item of IN stands for its items; in a cell of %%kalam: room IN ($rooms).
rooms = ["hall", "roof"]
assert kalam.query("SELECT id FROM app.notes WHERE room IN ($1) ORDER BY id", [rooms])["id"].tolist() == [1, 3]
assert kalam.query("SELECT id FROM app.notes WHERE room NOT IN ($1)", [set(rooms)])["id"].tolist() == [2]
assert kalam.query("SELECT id FROM app.notes WHERE room IN ($1)", [[]]).empty

# JSON comes as its text, an embedding as an array of numpy.
first = kalam.query("SELECT tags, place FROM app.notes WHERE id = 1").iloc[0]
print(first["tags"], first["place"])
assert json.loads(first["tags"]) == ["new", "red"]
assert first["place"].tolist() == [1.0, 0.0, 0.0]

near = "SELECT id, cosine_distance(place, $1) AS far FROM app.notes ORDER BY far LIMIT 2"
assert kalam.query(near, [[1.0, 0.0, 0.0]])["id"].tolist() == [1, 2]
kalam.close()
