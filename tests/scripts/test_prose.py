from pathlib import Path

import pytest

from scripts.prose import __main__ as check
from scripts.prose.glossary import MAX_WORDS, violations
from scripts.prose.markdown import texts_of_markdown
from scripts.prose.python import texts_of_python
from scripts.prose.templates import texts_of_script, texts_of_template
from scripts.prose.texts import Kind, Text

REFUSED = {
    Kind.PARAGRAPH: [
        "The sub-agent spends from the same purse.",
        "A parameter that is on offer.",
        "It says which room a change belongs in.",
        "The log tells of each instance.",
        "Delete everything of an instance.",
        "The moment from which the key counts no more.",
        "It serves an instance no more.",
        "A key it should have and has one not.",
        "The rotation is gone on with.",
        "Readers get those of then.",
        "Everything what is late is cancelled.",
        "But what doesn't end is left.",
        "The secrets are sealed anew.",
        "The key is made afresh.",
        "Mend it in the same change.",
        "They hand over the key.",
        "It is handed on to the tool.",
        "A grace of an hour.",
        "The figures of turns are kept.",
        "A mistake of ours.",
        "SQLite minds foreign keys.",
        "It ends in a civil way.",
        "Then the server answers 503.",
        "It is answered with a 404.",
        "The turn asks the model again.",
        "Each turn is taken down: it takes the turn down.",
        "Clients reach it by a change of the base URL.",
        "Whoever has the key.",
        "It runs beside a server.",
        "Who changes the base URL enters the key.",
        "Good. What changes is the form.",
        "What to set",
        "The secrets are sealed.",
        f"It is {'very ' * MAX_WORDS}long.",
    ],
    Kind.TABLE_HEAD: ["what it does, and what it must be", "without it", "what it says"],
    Kind.DOCSTRING: ["Takes the name and returns it.", "What one client did.", "Says so. Takes the turn."],
    Kind.COMMENT: ["made anew", "of then"],
    Kind.MESSAGE: ["`default`: as for all", "the tools; an empty text: none", "The secret is sealed"],
    Kind.IDENTIFIER: [
        *("class Backstage", "class Stage", "class Scene", "class World", "class Roster", "class Parts"),
        *("class PlayedChatModel", "class TurnBook", "class EndedSessions", "name on_offer", "name purse"),
        *("def _why_not", "def _look", "def _twice", "def _meant", "name _UNFIT", "name _MOST_TRIES", "name least"),
        *("name most_bytes", "name SECTION_MOST_CHARACTERS", "def several", "name must_be", "name says"),
    ],
}

ACCEPTED = {
    Kind.PARAGRAPH: [
        "The sub-agent shares the turn's budget.",
        "Is it the key? What then?",
        "Who is it for? Operators.",
        "An overlap period of an hour with code.",
        "The response is 503.",
        "A recommended amendment.",
        "Call the model again, beforehand or on the other hand.",
        f"It is {'very ' * (MAX_WORDS - 3)}long.",
    ],
    Kind.TABLE_HEAD: ["description", "allowed values / default"],
    Kind.DOCSTRING: ["Returns the name.", "The sealed value of a secret.", "It runs beside a server."],
    Kind.COMMENT: ["sealed with the old key", "the most common case"],
    Kind.MESSAGE: ["`default` to use the server's limit", "the option --grace-seconds is too large"],
    Kind.IDENTIFIER: ["class Stages", "name mostly", "name at_least", "name minimum", "def look_up", "name several"],
}


def pairs(texts: dict[Kind, list[str]]) -> list[tuple[Kind, str]]:
    return [(kind, text) for kind, found in texts.items() for text in found]


@pytest.mark.parametrize(("kind", "text"), pairs(REFUSED))
def test_text_is_refused(kind: Kind, text: str) -> None:
    assert list(violations(Text(kind, 1, text)))


@pytest.mark.parametrize(("kind", "text"), pairs(ACCEPTED))
def test_text_is_accepted(kind: Kind, text: str) -> None:
    assert list(violations(Text(kind, 1, text))) == []


PAGE = """\
# A heading with `code`

A paragraph over
two lines with a [link](https://a.example) and `code
in two lines`.

- An item
  that goes on.
- Another one.

| head | other |
|---|---|
| a cell | `code` \\| cell |

```sh
not read
```

<!-- mark -->
1. The end.
"""


def test_page_is_split_into_texts_without_code() -> None:
    assert [(text.kind, text.line, text.content) for text in texts_of_markdown(PAGE) if text.content] == [
        (Kind.PARAGRAPH, 1, "A heading with code"),
        (Kind.PARAGRAPH, 3, "A paragraph over two lines with a link and code."),
        (Kind.PARAGRAPH, 7, "An item that goes on."),
        (Kind.PARAGRAPH, 9, "Another one."),
        (Kind.TABLE_HEAD, 11, "head"),
        (Kind.TABLE_HEAD, 11, "other"),
        (Kind.PARAGRAPH, 13, "a cell"),
        (Kind.PARAGRAPH, 13, "code \\| cell"),
        (Kind.PARAGRAPH, 20, "The end."),
    ]


MODULE = '''\
"""The module."""

LIMIT = 1
"""The limit."""


class Thing:
    """The class."""

    def do(self, given):  # the comment
        """The method."""
        self.kept = given
        query = "SELECT one thing FROM things"
        raise ValueError(f"No thing called {given!r} here", "word")
'''


def test_module_is_split_into_texts() -> None:
    found = [(text.kind, text.line, text.content) for text in texts_of_python(MODULE, messages=True)]
    assert sorted(found, key=lambda text: (text[1], text[2])) == [
        (Kind.DOCSTRING, 1, "The module."),
        (Kind.IDENTIFIER, 3, "name LIMIT"),
        (Kind.DOCSTRING, 4, "The limit."),
        (Kind.IDENTIFIER, 7, "class Thing"),
        (Kind.DOCSTRING, 8, "The class."),
        (Kind.IDENTIFIER, 10, "def do"),
        (Kind.IDENTIFIER, 10, "name given"),
        (Kind.IDENTIFIER, 10, "name self"),
        (Kind.COMMENT, 10, "the comment"),
        (Kind.DOCSTRING, 11, "The method."),
        (Kind.IDENTIFIER, 12, "name kept"),
        (Kind.IDENTIFIER, 13, "name query"),
        (Kind.MESSAGE, 14, "No thing called value here"),
    ]


def test_messages_are_read_only_on_request() -> None:
    assert Kind.MESSAGE not in {text.kind for text in texts_of_python(MODULE, messages=False)}


TEMPLATE = """\
{# The page of one thing. #}
{% extends "base.html" %}
<h1>Things of {{ name }}</h1><p title="Its full name">Only <strong>one</strong> thing.</p>
{{ forms.field("slug", "Slug", help="Clients send it as model.") }}
<input placeholder="Slug or name" value="{{ name }}">
"""


def test_template_is_split_into_texts() -> None:
    assert [(text.kind, text.line, text.content) for text in texts_of_template(TEMPLATE)] == [
        (Kind.COMMENT, 1, "The page of one thing."),
        (Kind.PARAGRAPH, 3, "Its full name"),
        (Kind.PARAGRAPH, 3, "Things of value"),
        (Kind.PARAGRAPH, 3, "Only one thing."),
        (Kind.PARAGRAPH, 4, "Clients send it as model."),
        (Kind.PARAGRAPH, 5, "Slug or name"),
    ]


def test_module_in_javascript_is_split_into_texts() -> None:
    script = '// Shows it.\nshow("one", "You stopped it."); // why\nsay(`There are ${count} of them`, "https://a.example");\n'
    assert [(text.kind, text.line, text.content) for text in texts_of_script(script)] == [
        (Kind.COMMENT, 1, "Shows it."),
        (Kind.COMMENT, 2, "why"),
        (Kind.MESSAGE, 2, "You stopped it."),
        (Kind.MESSAGE, 3, "There are ${count} of them"),
    ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n\nA fine page.\n")
    for folder in ("src/polyant/domain", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    return tmp_path


def test_clean_project_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0
    assert capsys.readouterr().out == ""


def test_finding_on_a_page_fails(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "docs" / "page.md").write_text("# Page\n\nMade anew.\n")
    assert check.main() == 1
    assert capsys.readouterr().out == "docs/page.md:3: “anew”: write again\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/polyant/domain/module.py", '"""Made anew."""'),
        ("src/polyant/http/panel/templates/page.html", "<p>It is made anew.</p>"),
        ("src/polyant/http/panel/static/page.js", '"Made anew"'),
        ("examples/polyant-one/README.md", "Made anew."),
        ("examples/polyant-one/src/one.py", "# made anew"),
    ],
)
def test_finding_in_another_file_fails(project: Path, capsys: pytest.CaptureFixture[str], path: str, text: str) -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(f"{text}\n")
    assert check.main() == 1
    assert capsys.readouterr().out == f"{path}:1: “anew”: write again\n"


def test_lint_recipe_runs_the_check() -> None:
    lint = (check.ROOT / "justfile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "uv run python -m scripts.prose" in lint
