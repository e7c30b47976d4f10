from polyant.testing.lanes import LanesContract, LanesOutageContract
from support.conversation_stores import InMemory, OnPostgres, OnSqlite


class TestMemoryLanes(InMemory, LanesContract):
    pass


class TestPiccoloLanesOnSqlite(OnSqlite, LanesContract, LanesOutageContract):
    pass


class TestPiccoloLanesOnPostgres(OnPostgres, LanesContract, LanesOutageContract):
    pass
