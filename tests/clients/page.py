"""Generates the page docs/clients.md from the results of the clients."""

import re
from collections.abc import Mapping

from clients.registry import HERE, Client
from clients.runner import Run
from clients.scenarios import FAILURES

PAGE = HERE.parent.parent / "docs" / "clients.md"
_EXPLAINING_FETCH = HERE / "node" / "explaining_fetch.mjs"
_MAX_CHARACTERS = 300

_HEAD = """\
# Clients

For developers. This page has a working example for each tested client, and shows how each one reports errors.

**Every client of OpenAI's Chat Completions works: change its base URL and use an instance's slug as the model.**
The clients below were tested, as their registries publish them, against a live server. `just clients` tests them again
and generates this page from the results.

Agent frameworks work too, if you know these differences:

| topic | difference |
|---|---|
| Your own tools | They are ignored: [tools run on the server](#tools-of-your-own). |
| Structured output | Use the framework's JSON or JSON schema mode instead of its tool mode. |
| Responses API | It doesn't exist here. Choose the framework's [Chat Completions model](#responses-api). |
| Keys | A key lists the models of all instances but calls only its own. Another model is `Invalid API key`, 401. |
| Unknown models | The error is `Unknown model`, with status 401 instead of OpenAI's 404. |
| Messages of errors | Many clients hide them. [`ERROR_FORMAT=openai`](#errors-in-clients) on the server shows them. |

### Tools of your own

The server ignores `tools` and `functions` of a request. The response is text without tool calls, and it has the header
`x-polyant-ignored: tools`. So an agent ends after its first model call, and a framework that insists on a tool call
fails. Enable tools on the instance, or connect an MCP server to it: see the [API](api.md#routes) and the
[command line](cli.md).

`GET /v1/models/{slug}` says under `polyant.response_format` whether an instance's provider accepts structured output.

### Responses API

OpenAI's Agents SDKs use the Responses API by default. Here, it is `Cannot POST /v1/responses`, status 404. Set
`OpenAIChatCompletionsModel`, as in the examples for [Python](#openai-agents-for-python) and
[Node](#openai-agents-for-node). In LangChain, leave `use_responses_api` off.

## Tested clients

Each client passed these tests, except for those of streams if its table below has no streams:

- its example below, a whole completion, a stream whose deltas arrive one by one, and a stream with usage at its end;
- a turn in which only tools run for 20 heartbeats;
- text of one to four bytes per character, a history of 100 messages, and text in parts;
- nine failures, and an error in OpenAI's format;
- a disconnect in mid-stream, after which the call to the provider must end.
"""

_TABLE = """\
| client | version | whole | streamed | lists models | requests if the provider fails |
|---|---|---|---|---|---|
"""

_ERRORS = """\
## Errors in clients

The server's errors have the form `{"statusCode": 401, "message": "Invalid API key", "error": "Unauthorized"}`. Most
clients expect OpenAI's form, an object under `error`. They raise the right class but show little of the text. The
message is in the body of the response, and each client's section shows how to read it. In mid-stream, all clients show
the message.

With `ERROR_FORMAT=openai`, the server sends OpenAI's form under `/v1`, and the clients that are built for OpenAI show
the message. The last line of each section shows the result.

Otherwise, JavaScript clients that accept a `fetch` function can use this one:

```js
EXPLAINING_FETCH
```

The last column of the first table counts the requests that a client sends, with its default settings, if the response
is 502. The server has already retried the provider, and sends `x-should-retry: false`. The official clients repeat a
rate-limited request (429) after the seconds in `Retry-After`.
"""

_DESCRIPTIONS = {
    "wrong_key": "wrong key",
    "unknown_model": "unknown model",
    "bad_body": "bad body",
    "too_many": "over the limit",
    "not_set_up": "no key for the provider",
    "provider_fails": "provider fails",
    "provider_slow": "provider too slow",
    "breaks_off": "failure in mid-stream",
    "shutdown": "shutdown in mid-stream",
}


_HEAVY = """\
## Open WebUI and Haystack

`just clients-heavy` tests these two, because their installations take 1.5 GB.

In Open WebUI, add an OpenAI connection under Admin Settings, Connections: the URL `http://localhost:4000/v1` and an
instance's key. Verifying the connection, the list of models, chats and streams work. It shows the server's messages.
Each key opens one instance: add one connection per instance, and list only that instance's model in it.

Haystack:

```python
HAYSTACK
```
"""
_HAYSTACK = HERE / "heavy" / "haystack" / "snippet.py"


def render(runs: Mapping[str, Run]) -> str:
    """Returns the whole page."""
    rows = "".join(f"{row(run)}\n" for run in runs.values())
    errors = _ERRORS.replace("EXPLAINING_FETCH", _EXPLAINING_FETCH.read_text().strip())
    heavy = _HEAVY.replace("HAYSTACK\n", _HAYSTACK.read_text())
    return "\n".join([_HEAD, _TABLE + rows, errors, *(section(run) for run in runs.values()), heavy])


def row(run: Run) -> str:
    """Returns a client's row of the first table."""
    cells = [
        f"[{run.client.title}](#{_anchor(run.client)})",
        run.version,
        _variants(run, "answer"),
        _variants(run, "stream"),
        "✓" if ("models", "models") in run.results else "-",
        _calls(run),
    ]
    return f"| {' | '.join(cells)} |"


def without_version(client: Client, line: str) -> str:
    """Returns a row without the version if that depends on the machine instead of the project's pins."""
    cells = line.split(" | ")
    return " | ".join([cells[0], *cells[2:]]) if client.program else line


def section(run: Run) -> str:
    """Returns a client's section of the page: its example, its note and its errors."""
    example = run.client.example
    language = {"py": "python", "mjs": "js", "sh": "sh", "yaml": "yaml"}[example.suffix[1:]]
    lines = [f"## {run.client.title}", "", f"```{language}", example.read_text().strip(), "```", ""]
    if run.client.note:
        lines += [run.client.note, ""]
    lines += ["| failure | error | message |", "|---|---|---|"]
    for failure in filter(run.has_met, FAILURES):
        error = run.failure(failure).error
        lines.append(f"| {_DESCRIPTIONS[failure]} | `{error['type']}` | {_error_cell(error['text'])} |")
    shaped = run.results["in_openais_format", "answer"].error
    if "Unknown model" in shaped["text"]:
        cell = _error_cell(shaped["text"])
        lines += ["", f"With `ERROR_FORMAT=openai`, an unknown model is `{shaped['type']}`: {cell}"]
    return "\n".join([*lines, ""])


def _variants(run: Run, verb: str) -> str:
    variants = [name.partition("_")[2] or "✓" for name in run.verbs if name.split("_")[0] == verb]
    return ", ".join(variants) or "-"


def _calls(run: Run) -> str:
    requests = run.requests.get(("repeats", "answer"))
    return "retries for over a minute" if requests is None else str(len(requests))


def _error_cell(text: str) -> str:
    """Returns an error's text as a table cell, with the ports of the test's servers replaced."""
    one_line = " ".join(re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:4000", text).split())
    if len(one_line) > _MAX_CHARACTERS:
        one_line = f"{one_line[:_MAX_CHARACTERS]}…"
    fence = "``" if "`" in one_line else "`"
    return f"{fence}{' ' if fence != '`' else ''}{one_line}{' ' if fence != '`' else ''}{fence}".replace("|", "\\|")


def _anchor(client: Client) -> str:
    return re.sub(r"[^\w\- ]", "", client.title.lower()).replace(" ", "-")
