"""LangChain.js's ChatOpenAI, which would repeat what failed for more than a minute if it were let."""

from clients.contract import OPENAI_ERRORS, ClientContract, ExplainedContract


class TestLangChainJS(ClientContract, ExplainedContract):
    client = "langchain-js"
    verbs = ("answer", "answer_batch", "stream")
    errors = OPENAI_ERRORS
    shows_reason_only = True
