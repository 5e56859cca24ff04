"""A table of any size into a Parquet file, in the memory of one batch."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.write(pd.DataFrame({"id": np.arange(5_000), "n": np.arange(5_000) % 10}), "app.t", create=True, key="id")

batches = kalam.query_batches("SELECT id, n FROM app.t", batch_rows=1_000)
with pq.ParquetWriter("t.parquet", batches.schema) as writer:
    for batch in batches:
        writer.write_batch(batch)
print(batches.completeness)
assert pq.read_metadata("t.parquet").num_rows == 5_000
kalam.close()
