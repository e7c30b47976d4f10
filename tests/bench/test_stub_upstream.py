import pytest

from bench.stub_upstream import Script, script_of

DEFAULT = Script(deltas=200)


@pytest.mark.parametrize(
    ("model", "script"),
    [
        ("deltas-300-pace-50", Script(deltas=300, pace=50)),
        ("deltas-1-silent-1", Script(deltas=1, silent=1)),
        ("tools-2", Script(deltas=200, tools=2)),
        ("gpt-4", DEFAULT),
        ("", DEFAULT),
    ],
)
def test_model_name_selects_the_script(model: str, script: Script) -> None:
    assert script_of(model, DEFAULT) == script
