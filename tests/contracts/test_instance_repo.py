from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.domain.injectables import Environ
from polyant.domain.instances import Instance
from polyant.testing.instance_listing import Seed
from polyant.testing.instance_reading import ReadOnlyInstanceRepoContract
from polyant.testing.instance_repo import InstanceRepoCapabilities, InstanceRepoContract, InstanceRepoOutageContract
from polyant.testing.manual_clock import ManualClock
from support.yaml_instance_repo import YamlInstanceRepo


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


class TestMemoryInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    def repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)

    @pytest.fixture
    def audit_log(self, memory: MemoryStore) -> MemoryAuditLog:
        return MemoryAuditLog(memory=memory)


class TestPiccoloInstanceRepoOnSqlite(InstanceRepoContract, InstanceRepoOutageContract):
    @pytest.fixture
    def repo(self, sqlite_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=sqlite_database)

    @pytest.fixture
    def audit_log(self, sqlite_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=lost_sqlite_database)


class TestPiccoloInstanceRepoOnPostgres(InstanceRepoContract, InstanceRepoOutageContract):
    @pytest.fixture
    def repo(self, postgres_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=postgres_database)

    @pytest.fixture
    def audit_log(self, postgres_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=lost_postgres_database)


class TestCachedMemoryInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    async def repo(self, memory: MemoryStore) -> AsyncIterator[CachedInstanceRepo]:
        async with CachedInstanceRepo(MemoryInstanceRepo(memory=memory), clock=ManualClock()) as repo:
            yield repo

    @pytest.fixture
    def audit_log(self, memory: MemoryStore) -> MemoryAuditLog:
        return MemoryAuditLog(memory=memory)


class TestCachedPiccoloInstanceRepo(InstanceRepoContract, InstanceRepoOutageContract):
    @pytest.fixture
    async def repo(self, sqlite_database: PiccoloDatabase) -> AsyncIterator[CachedInstanceRepo]:
        inner = PiccoloInstanceRepo(database=sqlite_database)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as repo:
            yield repo

    @pytest.fixture
    def audit_log(self, sqlite_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=sqlite_database)

    @pytest.fixture
    async def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> AsyncIterator[CachedInstanceRepo]:
        inner = PiccoloInstanceRepo(database=lost_sqlite_database)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as repo:
            yield repo


class TestFreshInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    async def repo(self, memory: MemoryStore) -> AsyncIterator[FreshInstanceRepo]:
        inner = MemoryInstanceRepo(memory=memory)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as cache:
            yield FreshInstanceRepo(inner, cache)

    @pytest.fixture
    def audit_log(self, memory: MemoryStore) -> MemoryAuditLog:
        return MemoryAuditLog(memory=memory)


class TestYamlInstanceRepo(ReadOnlyInstanceRepoContract, InstanceRepoOutageContract):
    """A store that others write: the adapter's own fixture seeds it."""

    capabilities = InstanceRepoCapabilities(writes=False)

    @pytest.fixture
    def seed(self, tmp_path: Path) -> Seed:
        async def seed(*instances: Instance) -> YamlInstanceRepo:
            entries = {each.slug: msgspec.to_builtins(replace(each, version=1)) for each in instances}
            file = tmp_path / "instances.yaml"
            file.write_bytes(msgspec.json.encode(entries))  # YAML contains JSON
            return YamlInstanceRepo(environ=Environ({"INSTANCES_FILE": str(file)}))

        return seed

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> YamlInstanceRepo:
        return YamlInstanceRepo(environ=Environ({"INSTANCES_FILE": str(tmp_path / "missing.yaml")}))
