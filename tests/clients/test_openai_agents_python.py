"""OpenAI's Agents SDK for Python."""

from clients.contract import OPENAI_ERRORS, ClientContract, OwnToolsContract, PersistenceContract


class TestOpenAIAgentsPython(ClientContract, OwnToolsContract, PersistenceContract):
    client = "openai-agents-python"
    verbs = ("answer", "answer_sync", "stream")
    errors = OPENAI_ERRORS
