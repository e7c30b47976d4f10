"""LangGraph's agent."""

from clients.contract import LANGCHAIN_ERRORS, ClientContract, OwnToolsContract, PersistenceContract


class TestLanggraph(ClientContract, OwnToolsContract, PersistenceContract):
    client = "langgraph"
    verbs = ("answer", "answer_async", "stream", "stream_async")
    errors = LANGCHAIN_ERRORS
