from polyant.domain.base_urls import parse_base_url
from polyant.domain.instances import check_instance
from polyant.domain.prompts import SectionKey, check_section
from polyant.domain.secrets import AUTH_API_KEY, parse_secret_name
from polyant.testing.factories import InstanceFactory


def test_instances_are_valid() -> None:
    for instance in InstanceFactory.batch(200):
        check_instance(instance)
        for key, content in instance.sections.items():
            check_section(key, content)
        for name, secret in instance.secrets.items():
            assert parse_secret_name(name) == secret.name
        assert instance.base_url is None or parse_base_url(instance.base_url) == instance.base_url


def test_instances_are_active_complete_and_new() -> None:
    instance = InstanceFactory.build()
    assert instance.is_active
    assert instance.version == 0
    assert set(instance.sections) == set(SectionKey)
    assert instance.secrets[AUTH_API_KEY].fingerprint is not None


def test_instances_differ() -> None:
    instances = InstanceFactory.batch(200)
    assert len({instance.slug for instance in instances}) == len({instance.id for instance in instances}) == 200


def test_seed_reproduces_the_same_instances() -> None:
    InstanceFactory.seed_random(7)
    first = InstanceFactory.build(secrets={})
    InstanceFactory.seed_random(7)
    assert InstanceFactory.build(secrets={}) == first
