import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.channels.whatsapp.formatting import MAX_CHARACTERS, format_text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("plain", "plain"),
        ("**bold** __bold__ *it* _it_ ~~gone~~ `code`", "*bold* *bold* _it_ _it_ ~gone~ `code`"),
        ("**bold _and_**", "*bold _and_*"),
        ("**two\nlines**", "*two*\n*lines*"),
        ("# Title\n\ntext", "*Title*\n\ntext"),
        ("## **Bold** title", "*Bold title*"),
        ("[page](https://example.com)", "page (https://example.com)"),
        ("[https://example.com](https://example.com)", "https://example.com"),
        ("<https://example.com> <a@example.com>", "https://example.com a@example.com"),
        ("![picture](https://example.com/a.png)", "picture (https://example.com/a.png)"),
        ("- a\n- b\n  - c", "- a\n- b\n  - c"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("- a\n\n  more\n\n- b", "- a\n  more\n- b"),
        ("> a\n> b\n\nc", "> a\n> b\n\nc"),
        ("```python\nx = **1**\n```", "```\nx = **1**\n```"),
        ("| a | b |\n|---|---|\n| c | d |", "*a* | *b*\nc | d"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("1 < 2 &amp; <b>x</b>", "1 < 2 & <b>x</b>"),
        ("<div>\nx\n</div>", "<div>\nx\n</div>"),
        ("a_b_c 2 * 3 * 4", "a_b_c 2 * 3 * 4"),
        ("", ""),
        ("![](x)", "x"),
        ("[//]: # (comment)", "[//]: # (comment)"),
    ],
)
def test_markdown_becomes_whatsapps_markup(markdown: str, text: str) -> None:
    assert format_text(markdown) == text


@given(st.text(max_size=200))
def test_no_text_is_lost(markdown: str) -> None:
    text = format_text(markdown)
    assert bool(text.strip()) >= bool(markdown.strip())
    assert len(text) <= MAX_CHARACTERS
