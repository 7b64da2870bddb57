from tests.cli.conftest import trained  # noqa: F401  a fixture
