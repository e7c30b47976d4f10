"""The revision counter, and the slugs that each revision changed."""

from collections.abc import Iterable

from piccolo.querystring import QueryString

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.tables import ChangeRow, RevisionRow
from polyant.domain.instances import InstanceChanges, Slug

_SINGLE_ROW = 1


class Revisions:
    """Counts the writes of instances; each method runs in the caller's transaction.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._revision = database.bind(RevisionRow)
        self._changes = database.bind(ChangeRow)

    async def advance(self) -> int:
        """Returns the next revision, and locks the counter's row until the transaction ends."""
        counted = await (
            self._revision.insert(self._revision(id=_SINGLE_ROW, value=1))
            .on_conflict(self._revision.id, "DO UPDATE", [(self._revision.value, QueryString("revision.value + 1"))])
            .returning(self._revision.value)
        )
        return int(counted[0]["value"])

    async def note(self, slugs: Iterable[Slug], revision: int) -> None:
        """Records that the revision changed these slugs."""
        changes = [self._changes(slug=slug, revision=revision) for slug in slugs]
        if changes:
            await self._changes.insert(*changes).on_conflict(self._changes.slug, "DO UPDATE", [self._changes.revision])

    async def changes_since(self, revision: int) -> InstanceChanges:
        """Returns the slugs changed after the revision, and the current revision."""
        counter = await self._revision.select(self._revision.value).first()
        reached = 0 if counter is None else int(counter["value"])
        if reached == revision:
            return InstanceChanges(reached, frozenset())
        changed = await self._changes.select(self._changes.slug).where(self._changes.revision > revision)
        return InstanceChanges(reached, frozenset(row["slug"] for row in changed))
