from tests.experiments.conftest import trained  # noqa: F401  a fixture
