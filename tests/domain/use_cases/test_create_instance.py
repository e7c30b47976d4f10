from typing import Any

import pytest

from polyant.domain.access import matching_key
from polyant.domain.errors import InstanceExistsError, InvalidInputError
from polyant.domain.instances import InstanceStatus, Slug
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, SecretName
from polyant.domain.use_cases.create_instance import NewInstance
from polyant.testing.manual_clock import START
from support.harness import UseCaseHarness


async def test_new_instance_is_active_open_and_usable(harness: UseCaseHarness) -> None:
    created = await harness.create("support-bot", provider="echo")
    assert created == await harness.load(created.slug)
    assert (created.status, created.auth_enabled, created.version) == (InstanceStatus.ACTIVE, False, 1)
    assert created.created_at == created.updated_at == START
    assert created.secrets == {}
    assert created.tools == ()


async def test_default_sections_contain_the_name(harness: UseCaseHarness) -> None:
    created = await harness.create("support-bot", provider="echo", name="Susie")
    assert set(created.sections) == set(SectionKey)
    assert "You are Susie" in created.sections[SectionKey.IDENTITY]


async def test_name_defaults_to_the_slug(harness: UseCaseHarness) -> None:
    assert (await harness.create("support-bot", provider="echo")).name == "support-bot"


async def test_model_defaults_to_the_providers(harness: UseCaseHarness) -> None:
    assert (await harness.create("one", provider="vendor")).model == "small"
    assert (await harness.create("two", provider="vendor", model="large")).model == "large"


async def test_base_url_is_stored_without_a_trailing_slash(harness: UseCaseHarness) -> None:
    created = await harness.create("support-bot", provider="echo", base_url="http://localhost:11434/v1/")
    assert created.base_url == "http://localhost:11434/v1"


async def test_ids_are_distinct(harness: UseCaseHarness) -> None:
    ids = {(await harness.create(f"bot-{number}", provider="echo")).id for number in range(10)}
    assert len(ids) == 10


async def test_taken_slug_is_refused(harness: UseCaseHarness) -> None:
    first = await harness.create("support-bot", provider="echo")
    with pytest.raises(InstanceExistsError, match="'support-bot' already exists"):
        await harness.create("support-bot", provider="echo", name="Another")
    assert await harness.load(first.slug) == first


@pytest.mark.parametrize(
    "slug, options, message",
    [
        ("Not A Slug", {}, "A slug must be"),
        ("bot", {"provider": "nobody"}, "Unknown provider 'nobody'; available: echo, vendor"),
        ("bot", {"temperature": 2.1}, "temperature must be a number from 0 to 2"),
        ("bot", {"temperature": float("nan")}, "temperature must be a number from 0 to 2"),
        ("bot", {"name": " "}, "name must have 1 to 128 characters"),
        ("bot", {"base_url": "ftp://example.com"}, "A base URL must start with http"),
        ("bot", {"base_url": "https://user:secret@example.com"}, "A base URL must not have a user"),
    ],
)
async def test_invalid_value_is_refused_and_nothing_is_stored(
    harness: UseCaseHarness, slug: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        await harness.create(slug, **{"provider": "echo", **options})
    assert (await harness.repo.changes_since(0)).revision == 0


async def test_sections_secrets_and_key_are_stored_together(harness: UseCaseHarness) -> None:
    created = await harness.create_with_key(
        "support-bot",
        provider="vendor",
        base_url="https://vendor.example/v1",
        sections={SectionKey.SOUL: "Be kind."},
        secrets={"vendor_api_key": "sk-of-the-vendor"},
        issue_key=True,
    )
    stored = created.instance
    assert created.key is not None
    assert (stored.version, stored.auth_enabled, stored.has_auth_key) == (1, True, True)
    assert stored.sections[SectionKey.SOUL] == "Be kind."
    assert "You are support-bot" in stored.sections[SectionKey.IDENTITY]
    secret = stored.secrets[SecretName("vendor_api_key")]
    assert secret.origin == "https://vendor.example:443"
    assert (await harness.cipher.open(secret.sealed, stored.address_of(secret))).reveal() == "sk-of-the-vendor"
    assert await matching_key(stored, created.key, harness.cipher, START) == stored.secrets[AUTH_API_KEY]


@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": {"vendor_api_key": "two words"}},
        {"secrets": {"No Name": "x"}},
        {"sections": {SectionKey.SOUL: "x" * 32_769}},
        {"temperature": 3.0},
    ],
)
async def test_nothing_is_stored_if_a_part_is_invalid(harness: UseCaseHarness, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        await harness.create_with_key("support-bot", provider="vendor", issue_key=True, **fields)
    assert await harness.repo.get(Slug("support-bot")) is None


def test_new_instance_does_not_show_its_secrets() -> None:
    assert "sk-hidden" not in repr(NewInstance(slug="bot", secrets={"vendor_api_key": "sk-hidden"}))
