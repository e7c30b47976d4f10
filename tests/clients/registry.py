"""The tested clients: their names, the folders of their drivers, and their dependencies."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent

WRITES_PAGE = "WRITE_CLIENTS_PAGE"
"""The environment variable that makes the tests write the page again."""


@dataclass(frozen=True)
class Client:
    """A tested client."""

    name: str
    title: str
    folder: str
    """The folder of the driver and of the example."""
    environment: str | None = None
    """The name of its Python environment; None uses the project's own."""
    program: str | None = None
    """A program that must be installed on the machine."""
    closes_late: bool = False
    """Whether the client closes an abandoned stream only when Python collects garbage."""
    closes_at_exit: bool = False
    """Whether the client may keep an abandoned stream open until its process ends, as a terminal program does."""
    retries_for_long: bool = False
    """Whether the client's default retries take longer than a test can wait."""
    note: str = ""
    """A note for developers, shown with the example."""

    @property
    def is_node(self) -> bool:
        return self.folder.startswith("node/")

    @property
    def driver(self) -> Path:
        return HERE / self.folder / ("driver.mjs" if self.is_node else "driver.py")

    @cached_property
    def example(self) -> Path:
        (found,) = self.driver.parent.glob("snippet.*")
        return found


_EXPLAINED = (
    "It shows only the reason phrase of an error. With `explainingFetch` (above) as its `fetch`, it shows the message."
)

_MESSAGE = 'To read the message of an error: `error.response.json()["message"]`.'
_LATE = "A stream that you leave early stays open, and its turn continues, until Python's garbage collector closes it."

CLIENTS = {
    client.name: client
    for client in (
        Client(
            "openai-python",
            "openai for Python",
            "python/openai_python",
            note=_MESSAGE,
        ),
        Client("openai-node", "openai for Node", "node/openai_node", note=_EXPLAINED),
        Client(
            "langchain-python",
            "LangChain for Python",
            "python/langchain_python",
            "langchain",
            note=_MESSAGE,
        ),
        Client(
            "langchain-js",
            "LangChain.js",
            "node/langchain_js",
            retries_for_long=True,
            note=f"{_EXPLAINED} Pass it in `configuration`. By default, the client repeats a failed request six times, "
            "which takes more than a minute: set `maxRetries`.",
        ),
        Client(
            "langgraph",
            "LangGraph's create_agent",
            "python/langgraph_agent",
            "langchain",
            note=_MESSAGE,
        ),
        Client(
            "openai-agents-python",
            "OpenAI Agents for Python",
            "python/openai_agents_sdk",
            "openai_agents",
            note=_MESSAGE,
        ),
        Client(
            "openai-agents-js",
            "OpenAI Agents for Node",
            "node/openai_agents",
            note=_EXPLAINED,
        ),
        Client(
            "litellm",
            "LiteLLM",
            "python/litellm_sdk",
            "litellm",
            closes_late=True,
            note=f"{_LATE} `await stream.aclose()` closes a stream of `acompletion` at once.",
        ),
        Client(
            "litellm-proxy",
            "LiteLLM's proxy",
            "python/litellm_proxy",
            "litellm",
            note="The example is the proxy's configuration. It was tested with the official Python client in front and "
            "`num_retries: 0`, so that the counted requests are those of the client.",
        ),
        Client(
            "ai-sdk",
            "Vercel AI SDK",
            "node/ai_sdk",
            note=f"{_EXPLAINED} Alternatively, read `error.responseBody`.",
        ),
        Client(
            "pydantic-ai",
            "Pydantic AI",
            "python/pydantic_ai_agent",
            "pydantic_ai",
            note='To read the message of an error: `error.__cause__.response.json()["message"]`.',
        ),
        Client(
            "instructor",
            "Instructor",
            "python/instructor_json",
            "instructor",
            note="Use the mode `JSON_SCHEMA` or `JSON`, with an instance whose provider accepts `response_format`. The "
            "default mode, `TOOLS`, waits for a tool call that never comes.",
        ),
        Client(
            "dspy",
            "DSPy",
            "python/dspy_lm",
            "dspy",
            note="It shows only the reason phrase of an error. With `ERROR_FORMAT=openai` on the server, it shows the "
            "message.",
        ),
        Client(
            "smolagents",
            "smolagents",
            "python/smolagents_model",
            "smolagents",
            closes_late=True,
            note=f"{_MESSAGE} {_LATE}",
        ),
        Client(
            "llama-index",
            "LlamaIndex's OpenAILike",
            "python/llama_index_like",
            "llama_index",
            closes_late=True,
            note=_LATE,
        ),
        Client(
            "llm",
            "llm",
            "python/llm_plugin",
            "llm",
            closes_late=True,
            note="The example is the file `extra-openai-models.yaml`, in the folder that `llm logs path` prints. "
            f"Enter the key with `llm keys set polyant`. {_MESSAGE} {_LATE}",
        ),
        Client(
            "aider",
            "aider",
            "python/aider_coder",
            "aider",
            closes_late=True,
            closes_at_exit=True,
            retries_for_long=True,
            note="aider raises no error: `AiderError` has the text that it prints. Many failures are repeated for a "
            "minute.",
        ),
        Client(
            "httpx",
            "httpx",
            "python/httpx_sse",
            note="`StreamBrokenError` is the program's own error class. To read the message of an error: "
            '`error.response.json()["message"]`, in a stream after `error.response.read()`.',
        ),
        Client(
            "curl",
            "curl",
            "python/curl_shell",
            program="curl",
            note="curl raises no error and prints the response.",
        ),
        Client(
            "browser",
            "fetch in Chromium",
            "node/browser_fetch",
            program="chromium",
            note="Add the page's origin to `CORS_ORIGINS` of the server. `PageError` is the page's own error class.",
        ),
    )
}
