"""Tables from Python: data frames in and out, models of them, schemas, and CSV files.

```python
from amd_jax import tables

model = tables.fit(frame, "runs/people")  # or of a path, "people.csv"
frame = model.sample(1000, given="income=>50K, age=30..40")
frame = model.fill(frame_with_gaps)
bits = model.score(frame)
```
"""

from amd_jax.data.table import Table, encode_pandas, from_pandas, load, read
from amd_jax.facts.table import Column, TableFacts
from amd_jax.facts.table_csv import write_csv
from amd_jax.tables.table_model import TableModel, fit

__all__ = [
    "Column",
    "Table",
    "TableFacts",
    "TableModel",
    "encode_pandas",
    "fit",
    "from_pandas",
    "load",
    "read",
    "write_csv",
]
