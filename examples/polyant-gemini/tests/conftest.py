import pytest

pytest.register_assert_rewrite("polyant.testing")
