"""A table that the workers of Ray read, each row in one of its partitions; `pip install "ray[data]"`."""

import os

import pyarrow as pa
import ray

import kalam_notebook as kalam


def read(batch):
    return batch["part"][0].read().arrow()


with kalam.sandbox() as server:
    os.environ["KALAMDB_ROOT_PASSWORD"] = server.root_password  # Where workers look for it.
    with kalam.Client(server.url, user="root", password=server.root_password) as client:
        client.execute_query("CREATE NAMESPACE app")
        client.write(pa.table({"id": range(3_000), "n": [2] * 3_000}), "app.t", create=True, key="id")
        parts = client.partitions("SELECT id, n FROM app.t", n=4)

    ray.init(num_cpus=2, include_dashboard=False)
    rows = ray.data.from_items([{"part": part} for part in parts]).map_batches(read, batch_size=1)
    assert (rows.count(), rows.sum("n")) == (3_000, 6_000)
    ray.shutdown()
