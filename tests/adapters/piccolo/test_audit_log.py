import pytest

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import AuditRow
from polyant.domain.audit import AuditQuery
from polyant.domain.instances import Slug
from polyant.testing.audit_log import entry_of
from polyant.testing.manual_clock import START

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN {}", "postgres": "EXPLAIN {}"}
COPY = """
INSERT INTO audit_log (at, actor, action, instance, "user", details)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
SELECT at, 'actor' || i, action, 'bot-' || i, 'user' || i, details FROM audit_log, n
"""


@pytest.mark.parametrize(
    "query, indexes",
    [
        (AuditQuery(), {"audit_log_at"}),
        (AuditQuery(since=START), {"audit_log_at"}),
        (AuditQuery(instance=Slug("bot-7")), {"audit_log_instance"}),
        (AuditQuery(user="user7"), {"audit_log_actor", "audit_log_user"}),
    ],
)
async def test_queries_use_indexes(database: PiccoloDatabase, query: AuditQuery, indexes: set[str]) -> None:
    log, table = PiccoloAuditLog(database=database), database.bind(AuditRow)
    await log.add(entry_of())
    await database.write(table.raw(COPY).run)
    await database.write(table.raw("ANALYZE").run)
    (statement,) = log._selection(query).querystrings
    rows = await database.read(table.raw(EXPLAIN[database.dialect], statement).run)
    plan = "\n".join(str([*row.values()]) for row in rows)
    assert {index for index in indexes if index in plan} == indexes
    assert "Seq Scan" not in plan
    assert "SCAN audit_log'" not in plan
