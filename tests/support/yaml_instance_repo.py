"""An InstanceRepo that reads a YAML file which an operator writes, as a third-party package would have one."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from polyant.domain.audit import AuditEntry
from polyant.domain.errors import ReadOnlyError, StorageUnavailableError
from polyant.domain.injectables import Environ
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, InstanceSummary, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import CALLER_KEYS
from polyant.domain.skill_files import StoredSkillFile

_DEFAULT_TIME = "2026-01-01T00:00:00Z"


class YamlInstanceRepo(InstanceRepo):
    """Reads the file that INSTANCES_FILE names again when it changes; the revision is the time of the change."""

    def __init__(self, *, environ: Environ) -> None:
        self._file = Path(environ.get("INSTANCES_FILE", "instances.yaml"))
        self._revision = 0
        self._instances: Mapping[Slug, Instance] = {}
        self._removed = frozenset[Slug]()

    async def get(self, slug: Slug) -> Instance | None:
        return self._read().get(slug)

    async def list(self, query: InstanceQuery) -> InstancePage:
        found = sorted(
            (instance for instance in self._read().values() if _matches(instance, query)),
            key=lambda instance: (instance.created_at, instance.slug),
        )
        end = None if query.limit is None else query.offset + query.limit
        return InstancePage(tuple(map(_summary, found[query.offset : end])), len(found))

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> NoReturn:
        raise ReadOnlyError

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> NoReturn:
        raise ReadOnlyError

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> NoReturn:
        raise ReadOnlyError

    async def changes_since(self, revision: int) -> InstanceChanges:
        slugs = frozenset(self._read()) | self._removed
        return InstanceChanges(self._revision, slugs if revision < self._revision else frozenset())

    def _read(self) -> Mapping[Slug, Instance]:
        try:
            revision = self._file.stat().st_mtime_ns
            if revision != self._revision:
                entries = YAML(typ="safe").load(self._file.read_text()) or {}
                instances = {Slug(slug): _instance(slug, entry) for slug, entry in entries.items()}
                self._removed |= self._instances.keys() - instances.keys()
                self._instances, self._revision = instances, revision
        except (OSError, UnicodeDecodeError, YAMLError, AttributeError, msgspec.ValidationError) as error:
            raise StorageUnavailableError(hint=f"{self._file} can't be read: {' '.join(str(error).split())}") from error
        return self._instances


def _instance(slug: str, entry: Mapping[str, Any]) -> Instance:
    """Returns the instance of an entry; its id, its times and the names of its secrets may be left out."""
    defaults = {"id": hashlib.sha256(slug.encode()).hexdigest()[:32], "name": slug, "version": 1}
    times = {"created_at": _DEFAULT_TIME, "updated_at": _DEFAULT_TIME}
    return msgspec.convert({**defaults, **times, **entry, "slug": slug}, Instance)


def _matches(instance: Instance, query: InstanceQuery) -> bool:
    fingerprints = {instance.secrets[name].fingerprint for name in CALLER_KEYS if name in instance.secrets}
    texts = (instance.slug, instance.name, instance.description)
    return (
        query.status in {None, instance.status}
        and any(query.search.casefold() in text.casefold() for text in texts)
        and (not query.key_fingerprints or not fingerprints.isdisjoint(query.key_fingerprints))
    )


def _summary(instance: Instance) -> InstanceSummary:
    return InstanceSummary(**{name: getattr(instance, name) for name in InstanceSummary.__struct_fields__})
