"""The instances in memory, with the indexes that find them."""

from collections.abc import Iterable, Sequence

from polyant.domain.instances import Instance, InstanceChanges, InstanceId, Slug
from polyant.domain.secrets import CALLER_KEYS


class InstanceTable:
    """Holds instances by slug, and counts their changes."""

    def __init__(self) -> None:
        self._instances: dict[Slug, Instance] = {}
        self._slugs: dict[InstanceId, Slug] = {}
        self._holders: dict[str, set[Slug]] = {}
        self._changes: dict[Slug, int] = {}
        self._revision = 0

    def all(self) -> Sequence[Instance]:
        """Returns all instances."""
        return tuple(self._instances.values())

    def get(self, slug: Slug) -> Instance | None:
        """Returns the instance with that slug, or None."""
        return self._instances.get(slug)

    def find(self, instance_id: InstanceId) -> Instance | None:
        """Returns the instance with that id, or None."""
        slug = self._slugs.get(instance_id)
        return None if slug is None else self._instances[slug]

    def put(self, instance: Instance) -> None:
        """Stores the instance as it is."""
        self._instances[instance.slug] = instance
        self._slugs[instance.id] = instance.slug
        for fingerprint in _fingerprints_of(instance):
            self._holders.setdefault(fingerprint, set()).add(instance.slug)
        self._note_change(instance.slug)

    def remove(self, slug: Slug) -> None:
        """Removes the instance."""
        removed = self._instances.pop(slug)
        del self._slugs[removed.id]
        for fingerprint in _fingerprints_of(removed):
            self._holders[fingerprint].discard(slug)
            if not self._holders[fingerprint]:
                del self._holders[fingerprint]
        self._note_change(slug)

    def replace_all(self, instances: Iterable[Instance]) -> None:
        """Removes every instance and stores the given ones as they are; counts as at least one change."""
        for slug in tuple(self._instances):
            self.remove(slug)
        for instance in instances:
            self.put(instance)
        self._revision += 1

    def holders_of(self, fingerprints: Iterable[str]) -> Sequence[Instance]:
        """Returns the instances that have a key for callers with one of the fingerprints."""
        holders = set[Slug]().union(*(self._holders.get(fingerprint, ()) for fingerprint in fingerprints))
        return [self._instances[slug] for slug in holders]

    def changes_since(self, revision: int) -> InstanceChanges:
        """Returns the slugs changed after the revision, and the current revision."""
        changed = frozenset(slug for slug, changed_at in self._changes.items() if changed_at > revision)
        return InstanceChanges(self._revision, changed)

    def _note_change(self, slug: Slug) -> None:
        self._revision += 1
        self._changes[slug] = self._revision


def _fingerprints_of(instance: Instance) -> set[str]:
    keys = (instance.secrets[name] for name in CALLER_KEYS if name in instance.secrets)
    return {key.fingerprint for key in keys if key.fingerprint}
