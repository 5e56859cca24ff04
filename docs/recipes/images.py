"""Twenty images up, and down again."""

import base64
from pathlib import Path

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE media")
kalam.execute_query("CREATE TABLE media.photos (name TEXT PRIMARY KEY, image FILE) WITH (TYPE = 'SHARED')")

pixel = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Path("photos").mkdir(exist_ok=True)
for number in range(20):
    Path(f"photos/{number:02}.png").write_bytes(pixel)

report = kalam.upload("photos", "media.photos")  # the names of the files are the keys
print(report["result"].value_counts())

photos = kalam.query("SELECT name, image FROM media.photos ORDER BY name")
back = kalam.download(photos["image"], to="back")
print(back["result"].value_counts())
assert [path.read_bytes() for path in back["path"]] == [pixel] * 20
photos.loc[0, "image"]  # the last expression of a cell shows the image
kalam.close()
