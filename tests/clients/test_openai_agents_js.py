"""OpenAI's Agents SDK for Node."""

from clients.contract import OPENAI_ERRORS, ClientContract, ExplainedContract, OwnToolsContract, PersistenceContract


class TestOpenAIAgentsJS(ClientContract, ExplainedContract, OwnToolsContract, PersistenceContract):
    client = "openai-agents-js"
    verbs = ("answer", "stream")
    errors = OPENAI_ERRORS
    shows_reason_only = True
