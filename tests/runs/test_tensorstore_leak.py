import tensorstore
from orbax.checkpoint._src.serialization import tensorstore_utils

from amd_jax.runs import checkpoint_files, tensorstore_leak

HERE = {"driver": "file", "path": "/tmp/somewhere/"}
ELSEWHERE = {"driver": "gcs", "bucket": "bucket", "path": "run/"}


def test_orbax_is_told_the_same():
    """With the module that `runs.stored` has mended."""
    assert checkpoint_files.tensorstore_leak is tensorstore_leak
    assert tensorstore_utils.ts is not tensorstore
    for described in (HERE, ELSEWHERE):
        told = tensorstore_utils.ts.KvStore.Spec(described).to_json()
        assert told == tensorstore.KvStore.Spec(described).to_json()
    assert isinstance(tensorstore_utils.ts.KvStore.Spec(ELSEWHERE), tensorstore.KvStore.Spec)


def test_twice_is_once():
    mended = tensorstore_utils.ts
    tensorstore_leak.mend()
    assert tensorstore_utils.ts is mended
