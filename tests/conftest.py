import pytest

pytest.register_assert_rewrite("polyant.testing", "support")

pytest_plugins = ["support.postgres", "support.databases"]
