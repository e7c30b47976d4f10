"""The rules of the prose check: words, phrases and names to avoid, and their replacements."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from scripts.prose.texts import Kind, Text

MAX_WORDS = 35
"""The maximum length of a sentence on a Markdown page."""

_PROSE = frozenset({Kind.PARAGRAPH, Kind.TABLE_HEAD, Kind.DOCSTRING, Kind.COMMENT, Kind.MESSAGE})
_FOR_USERS = frozenset({Kind.PARAGRAPH, Kind.TABLE_HEAD, Kind.MESSAGE})
_PAGES = frozenset({Kind.PARAGRAPH, Kind.TABLE_HEAD})
_DOCSTRINGS = frozenset({Kind.DOCSTRING})
_SENTENCES = frozenset({Kind.PARAGRAPH, Kind.DOCSTRING})
_HEADS = frozenset({Kind.TABLE_HEAD})
_NAMES = frozenset({Kind.IDENTIFIER})


class Rule(NamedTuple):
    """One pattern that must not match a text of these kinds."""

    pattern: re.Pattern[str]
    instead: str
    kinds: frozenset[Kind]


def _words(pattern: str, instead: str, kinds: frozenset[Kind] = _PROSE) -> Rule:
    return Rule(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), instead, kinds)


def _start(pattern: str, instead: str, kinds: frozenset[Kind]) -> Rule:
    """Returns a rule for the beginning of a sentence; questions are exempt."""
    sentence = rf"(?:\A|(?<=[.!?:]\s))\s*(?:{pattern})\b[^.?!]*(?:[.!]|\Z)"
    return Rule(re.compile(sentence), instead, kinds)


def _name(pattern: str, instead: str) -> Rule:
    return Rule(re.compile(rf"\A{pattern}\Z"), instead, _NAMES)


RULES = (
    _words(r"\bpurses?\b", "turn budget"),
    _words(r"\bon[ _]offer\b", "injectables"),
    _words(r"\bplayed (part|model|tool|server)s?\b", "fakes"),
    _words(r"\bbackstage\b", "CliContext"),
    _words(r"\b(what|which) room\b|\brooms\b|\bhouse rules?\b|\bwalls\b", "modules, packages, boundaries, rules"),
    _words(r"\breach(es|ed)? (it|them) by\b", "work(s) by …ing"),
    _words(r"\b(tells?|telling|told) of\b", "describe, report, contain"),
    _words(r"\beverything of (an?|the)\b", "all data of the …"),
    _words(r"\b(counts?|serves?|works?|exists?|holds?|lets?)( \w+){0,3} no more\b", "expires; no longer …"),
    _words(r"\bhas one not\b", "is missing one"),
    _words(r"\b(go|goes|going|gone|went) on (with|where)\b", "resume, continue"),
    _words(r"\bof then\b", "the current …"),
    _words(r"\bwhat is late\b", "timed-out calls"),
    _words(r"\bwhat does(n't| not) end\b", "calls that ignore cancellation"),
    _words(r"\bwhat has an?\b", "name it: “versioned resources”"),
    _words(r"\bwhat it costs? (that|to)\b", "the cost of …"),
    _words(r"\b(takes?|taking|taken|took) (down (a|the|every|each|all) turns?|(it|(a|the) turn) down)\b", "record"),
    _words(r"\bcivil(ly)?\b", "gracefully"),
    _words(r"\bminds? (the )?foreign\b", "enforce foreign keys"),
    _words(r"\b(un|re)?seal(s|ed|ing)?\b", "encrypt, re-encrypt, decrypt", _FOR_USERS),
    _words(r"(?<![-\w])grace(?![-\w])", "overlap period", _FOR_USERS),
    _words(r"\bfigures of (an? |the |recent |one |its )?turns?\b|\bturns?'s? figures\b", "turn metrics"),
    _words(r"\bmistakes? of ours\b", "an internal error"),
    _words(r"\bmend(s|ed|ing)?\b", "fix"),
    _words(r"\banew\b|\bafresh\b", "again"),
    _words(r"\blooks? for changes\b", "poll, check"),
    _words(r"\bhand(s|ed|ing)? (\w+ )?(on|over)\b", "pass"),
    _words(r"\banswer(s|ed|ing)? (it )?(with )?(an? )?[1-5]\d\d\b", "respond with …; the response is …"),
    _words(r"\bask(s|ed|ing)? the (\w+ )?(limiter|model|database|store|provider|upstream)\b", "call, query"),
    _words(r"\bas for all\b", "`default` to use the server's limit", _FOR_USERS),
    _words(r"\ban empty text\b", "empty to …", _FOR_USERS),
    _words(r"\bwhoever\b", "name the subject"),
    _words(r"\bbeside\b", "next to, in addition to, while … is running", _PAGES),
    _start(r"Takes? the", "say what the caller gets", _DOCSTRINGS),
    _start(r"What(ever)?|Who|Whom|Whose", "name the subject, not a free relative", _SENTENCES),
    _words(r"\A(what|who|whom|without)\b", "description, allowed values, default, …", _HEADS),
    _name(r"class (Backstage|Stage|Scene|World|Roster|Parts?)", "CliContext, TestHarness, Scenario, ClientRegistry, …"),
    _name(r"class Played\w+", "Fake…"),
    _name(r"class TurnBook", "TurnRecorder"),
    _name(r"class EndedSessions", "SessionRevocation"),
    _name(r"\w+ on_offer", "injectables"),
    _name(r"\w+ \w*purse", "budget"),
    _name(r"def _?(why_not|look|twice|meant)", "_conflict_error, _poll, _with_retry, _unwrap"),
    _name(r"\w+ _?UNFIT", "_INVALID"),
    _name(r"\w+ \w*?(MOST|LEAST)_\w+", "_MAX_…, _MIN_…"),
    _name(r"\w+ _?(least|most)(_\w+)?", "minimum, maximum"),
    _name(r"def (several|everywhere)", "set_many, log_out_all"),
    _name(r"name (must_be|says)", "allowed, description"),
)


def violations(text: Text) -> Iterator[tuple[str, str]]:
    """Yields each violation in a text: the words found and their replacement."""
    for rule in RULES:
        if text.kind in rule.kinds:
            yield from ((found[0].strip(), rule.instead) for found in rule.pattern.finditer(text.content))
    if text.kind is Kind.PARAGRAPH:
        for sentence in re.split(r"(?<=[.!?])\s+", text.content):
            if len(words := sentence.split()) > MAX_WORDS:
                yield f"{' '.join(words[:6])} … ({len(words)} words)", f"sentences of at most {MAX_WORDS} words"
