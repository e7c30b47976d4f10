from polyant.testing.outbox import OutboxContract, OutboxOutageContract
from support.conversation_stores import InMemory, OnPostgres, OnSqlite


class TestMemoryOutbox(InMemory, OutboxContract):
    pass


class TestPiccoloOutboxOnSqlite(OnSqlite, OutboxContract, OutboxOutageContract):
    pass


class TestPiccoloOutboxOnPostgres(OnPostgres, OutboxContract, OutboxOutageContract):
    pass
