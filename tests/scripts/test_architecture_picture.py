from pathlib import Path
from xml.etree import ElementTree as ET

from polyant import adapters
from scripts.architecture_picture import PICTURE, picture


def drawn() -> ET.Element:
    return ET.fromstring(picture())  # noqa: S314 - a trusted document


def test_picture_is_up_to_date() -> None:
    assert PICTURE.read_text() == picture(), "run `just architecture-picture`"


def test_picture_is_well_formed_and_follows_the_colour_scheme() -> None:
    root = drawn()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "@media (prefers-color-scheme: dark)" in picture()


def test_boxes_lie_inside_the_picture_and_apart_from_each_other() -> None:
    root = drawn()
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    sizes = [
        [int(box.attrib[name]) for name in ("x", "y", "width", "height")]
        for box in root.iter()
        if box.get("class") == "box"
    ]
    for number, (x, y, w, h) in enumerate(sizes):
        assert 0 < x < x + w < width
        assert 0 < y < y + h < height
        for other_x, other_y, other_w, other_h in sizes[:number]:
            assert x + w <= other_x or other_x + other_w <= x or y + h <= other_y or other_y + other_h <= y


def test_adapters_in_the_picture_exist() -> None:
    names = {element.text for element in drawn().iter() if element.get("class") == "name"}
    (folder,) = adapters.__path__
    packages = {path.name for path in Path(folder).iterdir()}
    for shown in ("llm", "tool_loop", "tools, mcp", "piccolo, memory", "crypto"):
        assert shown in names
        assert set(shown.split(", ")) <= packages
