"""Draws docs/images/architecture.svg. Run it with `just architecture-picture`."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "architecture.svg"

_WIDTH, _HEIGHT = 1120, 478
_TOP = 76
_LINE = 17
_STYLE = """\
  svg { color-scheme: light dark; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #3d4450; }
  .page { fill: #ffffff; }
  .box { fill: #f3f5f8; stroke: #aab2bf; }
  .core { fill: #e3effc; stroke: #2f6fb7; stroke-width: 2; }
  .arrow { stroke: #5b6573; stroke-width: 1.5; fill: none; }
  .tip { fill: #5b6573; }
  .column { font-size: 14px; font-weight: 600; fill: #5b6573; }
  .name { font-weight: 600; fill: #14181f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #c3cad4; }
    .page { fill: #14181f; }
    .box { fill: #222932; stroke: #566170; }
    .core { fill: #16304d; stroke: #6caef5; }
    .arrow { stroke: #93a0b0; }
    .tip { fill: #93a0b0; }
    .column { fill: #93a0b0; }
    .name { fill: #f2f5f9; }
  }"""


class Box(NamedTuple):
    """A rectangle with a name and lines of text below it."""

    name: str
    lines: Sequence[str]
    x: int
    y: int
    width: int
    height: int


_COLUMNS = (("Callers", 100), ("Entry points", 305), ("Domain", 560), ("Adapters", 815), ("Outside", 1020))
_CALLERS = (
    Box("OpenAI clients", ("OpenAI SDKs, curl,", "LangChain, LiteLLM, …"), 16, 84, 168, 92),
    Box("Programs", ("manage instances and", "users over HTTP"), 16, 196, 168, 80),
    Box("Operators", ("manage everything", "in a terminal"), 16, 296, 168, 80),
)
_ENTRIES = (
    Box("http/openai", ("/v1/chat/completions", "/v1/models", "rate limit, streaming"), 222, 84, 166, 92),
    Box("http/management", ("/api with sessions,", "OpenAPI at /docs"), 222, 196, 166, 80),
    Box("cli", ("polyant instances,", "secrets, keys, …"), 222, 296, 166, 80),
)
_ADAPTERS = (
    Box("llm", ("openai, anthropic, scripted",), 720, 76, 194, 56),
    Box("tool_loop", ("model → tools → model …",), 720, 142, 194, 56),
    Box("tools, mcp", ("built-in tools, MCP tools",), 720, 208, 194, 56),
    Box("piccolo, memory", ("storage, rate limiter",), 720, 274, 194, 56),
    Box("crypto", ("AES-256-GCM, Argon2id",), 720, 340, 194, 56),
)
_OUTSIDE = (
    Box("Model providers", ("OpenAI, Anthropic,", "compatible servers"), 942, 76, 162, 74),
    Box("Tools", ("public internet,", "MCP servers"), 942, 206, 162, 60),
    Box("Databases", ("SQLite or", "PostgreSQL"), 942, 276, 162, 60),
)
_HEXAGON = ((428, 236), (484, 76), (634, 76), (690, 236), (634, 396), (484, 396))
_DOMAIN = (
    (126, "name", "use_cases/"),
    (143, "", "chat, create instance,"),
    (160, "", "issue key, list models, …"),
    (206, "name", "entities and rules"),
    (223, "", "instances, prompts, secrets,"),
    (240, "", "access, limits, turns"),
    (290, "name", "ports/"),
    (307, "", "Supervisor, ChatModel, Tool,"),
    (324, "", "InstanceRepo, RateLimiter,"),
    (341, "", "SecretCipher, …"),
)
_ROOT = Box(
    "Composition root",
    ("reads the settings, builds the chosen adapters (entry points) and connects them to the ports",),
    16,
    412,
    1088,
    50,
)


def picture() -> str:
    """Returns the picture as an SVG document, for light and dark pages."""
    boxes = (*_CALLERS, *_ENTRIES, *_ADAPTERS, *_OUTSIDE, _ROOT)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="title">',
        '<title id="title">Polyant: callers, entry points, domain, adapters</title>',
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>',
        *(_text(x, 48, title, "column") for title, x in _COLUMNS),
        *(line for box in boxes for line in _drawn(box)),
        f'<polygon class="core" points="{" ".join(f"{x},{y}" for x, y in _HEXAGON)}"/>',
        *(_text(559, y, text, kind) for y, kind, text in _DOMAIN),
        *_arrows(),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _drawn(box: Box) -> Iterator[str]:
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'
    middle = box.x + box.width // 2
    first = box.y + (box.height - _LINE * (len(box.lines) + 1)) // 2 + 13
    yield _text(middle, first, box.name, "name")
    for number, line in enumerate(box.lines, 1):
        yield _text(middle, first + number * _LINE, line)


def _arrows() -> Iterator[str]:
    for caller, entry in zip(_CALLERS, _ENTRIES, strict=True):
        yield _arrow(caller.x + caller.width, _middle(caller), entry.x, _middle(entry))
    for entry, end in zip(_ENTRIES, ((456, 156), (428, 236), (448, 292)), strict=True):
        yield _arrow(entry.x + entry.width, _middle(entry), *end)
    for adapter, start in zip(_ADAPTERS, ((644, 104), (667, 170), (690, 236), (667, 302), (644, 368)), strict=True):
        yield _arrow(*start, adapter.x, _middle(adapter))
    for adapter, outside in ((_ADAPTERS[0], 0), (_ADAPTERS[2], 1), (_ADAPTERS[3], 2)):
        yield _arrow(adapter.x + adapter.width, _middle(adapter), _OUTSIDE[outside].x, _middle(adapter))


def _middle(box: Box) -> int:
    return box.y + box.height // 2


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    left, right = ((x2 - 9 * dx + side * 4 * dy, y2 - 9 * dy - side * 4 * dx) for side in (1, -1))
    tip = f"{x2},{y2} {left[0]:.1f},{left[1]:.1f} {right[0]:.1f},{right[1]:.1f}"
    line = f'<path class="arrow" d="M{x1} {y1} L{x2 - 8 * dx:.1f} {y2 - 8 * dy:.1f}"/>'
    return f'{line}<polygon class="tip" points="{tip}"/>'


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="middle"{attribute}>{escape(text)}</text>'


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture())
