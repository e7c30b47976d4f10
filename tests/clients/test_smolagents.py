"""The model of smolagents."""

from clients.contract import OPENAI_ERRORS, ClientContract, PersistenceContract


class TestSmolagents(ClientContract, PersistenceContract):
    client = "smolagents"
    verbs = ("answer", "stream")
    always_sends_parts = True
    joins_messages = True
    errors = OPENAI_ERRORS
