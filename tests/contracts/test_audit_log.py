import pytest

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.testing.audit_log import AuditLogContract, AuditLogOutageContract


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def audit_log(self) -> MemoryAuditLog:
        return MemoryAuditLog()


class TestPiccoloAuditLogOnSqlite(AuditLogContract, AuditLogOutageContract):
    @pytest.fixture
    def audit_log(self, sqlite_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=lost_sqlite_database)


class TestPiccoloAuditLogOnPostgres(AuditLogContract, AuditLogOutageContract):
    @pytest.fixture
    def audit_log(self, postgres_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=lost_postgres_database)
