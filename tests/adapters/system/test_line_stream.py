"""The stream that passes lines on."""

import io
import traceback

import pytest

from polyant.adapters.system.line_stream import LineStream


class Rig:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.replaced = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        self.stream = LineStream(self.replaced, self.lines.append)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_lines_are_passed_on_without_their_ends(rig: Rig) -> None:
    print("one", file=rig.stream)
    print("two\n\n \nthree", file=rig.stream)
    assert rig.lines == ["one", "two", "three"]


def test_parts_of_a_line_are_joined(rig: Rig) -> None:
    for part in ("a", "b", "\n", "c"):
        assert rig.stream.write(part) == 1
    assert rig.lines == ["ab"]
    rig.stream.flush()
    rig.stream.flush()
    assert rig.lines == ["ab", "c"]


def test_traceback_can_be_printed(rig: Rig) -> None:
    try:
        int("a bug")
    except ValueError:
        traceback.print_exc(file=rig.stream)
    assert rig.lines[0] == "Traceback (most recent call last):"
    assert rig.lines[-1].startswith("ValueError: ")


def test_stream_has_the_properties_of_the_replaced_one(rig: Rig) -> None:
    assert rig.stream.encoding == "utf-8"
    assert rig.stream.writable()
    assert not rig.stream.isatty()
    with pytest.raises(io.UnsupportedOperation):
        rig.stream.fileno()
