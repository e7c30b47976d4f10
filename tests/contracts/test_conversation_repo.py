from polyant.testing.conversation_repo import ConversationRepoContract, ConversationRepoOutageContract
from support.conversation_stores import InMemory, OnPostgres, OnSqlite


class TestMemoryConversationRepo(InMemory, ConversationRepoContract):
    pass


class TestPiccoloConversationRepoOnSqlite(OnSqlite, ConversationRepoContract, ConversationRepoOutageContract):
    pass


class TestPiccoloConversationRepoOnPostgres(OnPostgres, ConversationRepoContract, ConversationRepoOutageContract):
    pass
