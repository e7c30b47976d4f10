from polyant.testing.inbox import InboxContract, InboxOutageContract
from support.conversation_stores import InMemory, OnPostgres, OnSqlite


class TestMemoryInbox(InMemory, InboxContract):
    pass


class TestPiccoloInboxOnSqlite(OnSqlite, InboxContract, InboxOutageContract):
    pass


class TestPiccoloInboxOnPostgres(OnPostgres, InboxContract, InboxOutageContract):
    pass
