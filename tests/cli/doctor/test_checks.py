import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from polyant.domain.audit import CLI, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.set_secret import with_auth_key
from polyant.settings import read_settings
from polyant.wiring import open_container
from support.commands import Polyant
from support.doctor import Doctor, execute
from support.packages import install
from support.upstream import UpstreamThread, upstream_in_thread

VENDOR = """
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.ports.chat_model import ProviderInfo

class Vendor(OpenAIChatModel):
    info = ProviderInfo(
        name="vendor", default_model="m", base_url="{url}", secret="vendor_api_key", environment_variable="VENDOR_KEY"
    )
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[UpstreamThread]:
    with upstream_in_thread() as thread:
        yield thread


def test_fresh_data_has_no_findings(polyant: Polyant, findings: Doctor, home: Path) -> None:
    done = polyant.succeed("doctor", API_PORT="0")
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}
    for about in ("settings", "database", "encryption key", "instances", "provider scripted"):
        assert f" {about}" in done.stdout
    assert findings() == []


def test_missing_data_is_a_fault_and_is_not_created(findings: Doctor, tmp_path: Path) -> None:
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "database")
    assert f"{tmp_path}/.polyant/polyant.db" in message
    assert list(tmp_path.iterdir()) == []


def test_invalid_settings_are_faults(findings: Doctor, home: Path) -> None:
    assert [message for _, _, message in findings(API_PORT="no", LOG_FORMAT="xml")] == [
        'API_PORT must be a whole number from 0 to 65535, not "no"',
        'LOG_FORMAT must be text or json, not "xml"',
    ]


def test_unknown_adapter_is_a_fault(findings: Doctor, home: Path) -> None:
    [(state, about, message)] = findings(CHAT_MODELS="nobody's")
    assert (state, about) == ("fault", "adapters")
    assert "No installed package provides the chat_model adapter" in message


def test_misspelt_variable_is_a_warning(findings: Doctor, home: Path) -> None:
    [(state, about, message)] = findings(POLYANT_TOOL="price")
    assert (state, about) == ("warning", "POLYANT_TOOL")
    assert message == "is set, but no installed adapter has this setting. Did you mean POLYANT_TOOLS?"


@pytest.mark.parametrize("name", ["polyant.db", ".", "keys", "keys/encryption.key", "keys/auth.secret"])
def test_file_accessible_to_others_is_a_warning(findings: Doctor, home: Path, name: str) -> None:
    path = home / name
    path.chmod(path.stat().st_mode | 0o040)
    [(state, about, message)] = findings()
    assert (state, about) == ("warning", "files")
    assert f"chmod go= {path}" in message
    path.chmod(path.stat().st_mode & ~0o077)
    assert findings() == []


def test_wrong_encryption_key_is_a_fault(findings: Doctor, home: Path) -> None:
    [(state, _, message)] = findings(ENCRYPTION_KEY="0f" * 32)
    assert state == "fault"
    assert "The master key is not the key" in message


@pytest.mark.parametrize("name", ["encryption.key", "auth.secret"])
def test_missing_key_file_is_a_fault(findings: Doctor, home: Path, name: str) -> None:
    (home / "keys" / name).unlink()
    [(state, _, message)] = findings()
    assert state == "fault"
    assert f"no readable key in {home.relative_to(home.parent)}/keys/{name}" in message
    assert not (home / "keys" / name).exists()


def test_older_and_newer_schemas_are_distinguished(polyant: Polyant, findings: Doctor, home: Path) -> None:
    execute(home, "INSERT INTO migration (name, app_name) VALUES ('9999', 'polyant')")
    assert findings() == [
        (
            "fault",
            "database",
            "The database was made by a newer version of polyant. Update polyant, or restore a backup",
        )
    ]
    for _ in range(2):
        execute(home, "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)")
    assert findings() == [
        ("fault", "database", "The database was made by an older version of polyant. Run `polyant migrate`")
    ]


def test_damaged_secret_is_a_fault_of_its_instance_only(polyant: Polyant, findings: Doctor, home: Path) -> None:
    polyant.succeed("instances", "create", "other")
    for slug in ("demo-bot", "other"):
        polyant.succeed("secrets", "set", slug, "auth_api_key", given="sk-of-my-own-choice")
    execute(home, "UPDATE instance_secrets SET sealed = replace(sealed, 'v1.', 'v1.00') WHERE id = 1")
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "instance demo-bot")
    assert message.startswith("auth_api_key: ")
    assert "set it again" in message


def test_instance_that_rejects_every_request_is_a_warning(polyant: Polyant, findings: Doctor, home: Path) -> None:
    polyant.succeed("keys", "issue", "demo-bot")
    polyant.succeed("keys", "revoke", "demo-bot")
    assert findings() == [
        ("warning", "instance demo-bot", "requires an API key but has none. Run `polyant keys issue demo-bot`")
    ]


def test_disabled_provider_is_a_fault(findings: Doctor, home: Path) -> None:
    assert findings(CHAT_MODELS="openai") == [
        ("fault", "instance demo-bot", "its provider scripted is not enabled. Add scripted to CHAT_MODELS")
    ]


def test_missing_provider_key_is_a_fault(
    polyant: Polyant,
    findings: Doctor,
    home: Path,
    provider: UpstreamThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(tmp_path, "acme-vendor", VENDOR.format(url=provider.upstream.url), [("chat_model", "vendor", "Vendor")])
    monkeypatch.syspath_prepend(str(tmp_path))
    enabled = {"CHAT_MODELS": "scripted,vendor"}
    polyant.succeed("instances", "create", "bot", "--provider", "vendor", **enabled)
    [(state, about, message)] = findings(**enabled)
    assert (state, about) == ("fault", "instance bot")
    assert "polyant secrets set bot vendor_api_key" in message
    assert "VENDOR_KEY" in message
    assert findings(VENDOR_KEY="operator-key-0123", **enabled) == []
    assert "authorization" not in provider.upstream.requests[-1].headers


def test_key_that_is_not_sent_to_a_listed_host_is_a_warning(
    polyant: Polyant, findings: Doctor, home: Path, provider: UpstreamThread
) -> None:
    url = provider.upstream.url
    polyant.succeed("instances", "create", "bot", "--provider", "openai", "--base-url", f"{url}/v1")
    key = {"OPENAI_API_KEY": "operator-key-0123"}
    [(state, about, message)] = findings(PROVIDER_HOSTS="127.0.0.1", **key)
    assert (state, about) == ("warning", "instance bot")
    assert message == (
        f"the server's key for openai isn't sent to {url}. "
        f"PROVIDER_HOSTS lists https://127.0.0.1:443. To send the key, list {url}"
    )
    assert findings(PROVIDER_HOSTS=url, **key) == []


def test_key_for_another_address_is_a_fault(
    polyant: Polyant, findings: Doctor, home: Path, provider: UpstreamThread
) -> None:
    polyant.succeed("instances", "create", "bot", "--provider", "openai")
    polyant.succeed("secrets", "set", "bot", "openai_api_key", given="sk-not-a-real-key")
    polyant.succeed("instances", "update", "bot", "--base-url", provider.upstream.url)
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "instance bot")
    assert "entered for an address other than its base URL" in message


def test_unreachable_provider_is_one_fault_for_all_its_instances(
    polyant: Polyant, findings: Doctor, home: Path
) -> None:
    for slug in ("one", "two"):
        polyant.succeed("instances", "create", slug, "--provider", "openai", "--base-url", "http://127.0.0.1:1/v1")
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "provider openai at http://127.0.0.1:1/v1")
    assert "unreachable" in message


def test_disabled_instances_are_not_checked(polyant: Polyant, findings: Doctor, home: Path) -> None:
    polyant.succeed("instances", "create", "one", "--provider", "openai", "--base-url", "http://127.0.0.1:1/v1")
    polyant.succeed("instances", "disable", "one")
    assert findings() == []


async def store_short_key(home: Path) -> None:
    """Stores a key as versions before the minimum length did."""
    settings = read_settings({"POLYANT_HOME": str(home)})
    async with open_container(settings, {}, create=False) as container:
        cipher = await container.get(SecretCipher)

        async def set_key(instance: Instance, now: datetime) -> Instance:
            return await with_auth_key(cipher, instance, SecretText("sk-short"), now=now, overlap=timedelta())

        await (await container.get(EditInstance))(Slug("demo-bot"), set_key, Change(CLI, "key.set"))


def test_stored_key_that_can_be_guessed_is_a_warning(polyant: Polyant, findings: Doctor, home: Path) -> None:
    asyncio.run(store_short_key(home))
    [(state, about, message)] = findings()
    assert (state, about) == ("warning", "instance demo-bot")
    assert message.startswith("auth_api_key has fewer than 16 characters")
    polyant.succeed(*re.search("`polyant (.*)`", message)[1].split())  # type: ignore[index]  # it is there
    assert findings() == []


def test_prompt_that_changes_every_minute_is_a_warning(findings: Doctor, home: Path) -> None:
    with closing(sqlite3.connect(home / "polyant.db")) as database, database:
        update = "UPDATE instance_prompts SET content = 'It is {{datetime}}.' WHERE section = '08-datetime'"
        assert database.execute(update).rowcount == 1
    [(state, about, message)] = findings()
    assert (state, about) == ("warning", "instance demo-bot")
    assert message.startswith("Section 08-datetime contains {{datetime}}, so the prompt changes every minute")
    assert message.endswith("Use {{date}} if the model doesn't need the time")


def test_options_that_an_adapter_refuses_are_a_fault(polyant: Polyant, findings: Doctor, home: Path) -> None:
    polyant.succeed("instances", "create", "bot", "--provider", "openai", "--base-url", "http://127.0.0.1:1/v1")
    execute(home, """UPDATE instances SET options = '{"openai": {"query": 3}, "gone": {}}' WHERE slug = 'bot'""")
    (message,) = [text for state, about, text in findings() if (state, about) == ("fault", "instance bot")]
    assert message == (
        "its options for openai are invalid: Expected `object`, got `int` - at `$.query`. "
        "Correct them with `polyant instances update bot --options openai JSON`"
    )
