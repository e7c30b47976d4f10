"""LangChain.js's ChatOpenAI, whose default retries take more than a minute."""

from clients.contract import OPENAI_ERRORS, ClientContract, ExplainedContract


class TestLangChainJS(ClientContract, ExplainedContract):
    client = "langchain-js"
    verbs = ("answer", "answer_batch", "stream")
    errors = OPENAI_ERRORS
    shows_reason_only = True
