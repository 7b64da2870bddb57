"""Tables from Python: data frames in and out, schemas, and CSV files.

```python
from amd_jax import tables

data = tables.from_pandas(frame)  # or tables.load("people.csv")
print(data.facts.summary({split: len(data.rows(split)) for split in data.splits}))
frame = data.facts.to_pandas(data.rows("test"))
```
"""

from amd_jax.data.table import Table, encode_pandas, from_pandas, load, read
from amd_jax.facts.table import Column, TableFacts
from amd_jax.facts.table_csv import write_csv

__all__ = [
    "Column",
    "Table",
    "TableFacts",
    "encode_pandas",
    "from_pandas",
    "load",
    "read",
    "write_csv",
]
