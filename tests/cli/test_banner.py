from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polyant.cli.banner import StartupInfo, banner, is_loopback
from polyant.domain.instances import InstanceId, InstanceStatus, InstanceSummary, Slug
from polyant.domain.limits import TurnLimits
from polyant.settings import read_settings

CREATED_AT = datetime(2026, 11, 22, tzinfo=UTC)


def summary(*, provider: str = "scripted", auth_enabled: bool = False) -> InstanceSummary:
    return InstanceSummary(
        id=InstanceId("0" * 32),
        slug=Slug("support-bot"),
        name="Support",
        description="",
        status=InstanceStatus.ACTIVE,
        provider=provider,
        model="gpt-x",
        base_url=None,
        temperature=None,
        auth_enabled=auth_enabled,
        has_auth_key=auth_enabled,
        limits=TurnLimits(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        version=1,
    )


def banner_of(
    model: InstanceSummary | None,
    *,
    by_option: Mapping[str, str] = {},
    password_file: Path | None = None,
    **variables: str,
) -> str:
    info = StartupInfo(model=model, open_slugs=(), port=4000, options=by_option, password_file=password_file)
    return banner(read_settings({**by_option, **variables}), info)


def test_banner_without_an_active_instance_shows_how_to_create_one() -> None:
    text = banner_of(None)
    assert "There is no active instance. This command creates one:\n\n  polyant instances create SLUG\n" in text
    assert "curl" not in text


def test_banner_names_the_password_file_of_the_first_user_while_it_exists() -> None:
    file = Path("/data/initial-admin-password")
    assert f"  Password   of admin@localhost in {file}\n" in banner_of(summary(), password_file=file)
    other = banner_of(summary(), password_file=file, INITIAL_ADMIN_EMAIL="Ada@example.com")
    assert f"  Password   of ada@example.com in {file}\n" in other
    assert "Password" not in banner_of(summary())


def test_example_of_an_instance_with_auth_has_a_key() -> None:
    assert "-H 'Authorization: Bearer YOUR-KEY'" in banner_of(summary(auth_enabled=True))
    assert "Authorization" not in banner_of(summary())


def test_real_provider_is_shown_with_its_model() -> None:
    assert "  Model      support-bot (openai: gpt-x)\n" in banner_of(summary(provider="openai"))
    assert "  Model      support-bot (a built-in demo" in banner_of(summary())


@pytest.mark.parametrize(
    "host, url",
    [
        ("127.0.0.1", "http://localhost:4000/v1"),
        ("0.0.0.0", "http://localhost:4000/v1"),
        ("::", "http://localhost:4000/v1"),
        ("192.0.2.7", "http://192.0.2.7:4000/v1"),
        ("fd00::7", "http://[fd00::7]:4000/v1"),
        ("chat.example", "http://chat.example:4000/v1"),
    ],
)
def test_base_url_can_be_pasted(host: str, url: str) -> None:
    text = banner_of(summary(), API_HOST=host)
    assert f"  Base URL   {url}\n" in text
    assert f"  curl {url}/chat/completions " in text


def test_commands_repeat_options_that_move_the_data(tmp_path: Path) -> None:
    home = f"{tmp_path}/over here"
    text = banner_of(summary(), by_option={"POLYANT_HOME": home, "DATABASE_URL": "sqlite:////srv/x.db"})
    assert f"\n  POLYANT_HOME='{home}' DATABASE_URL=sqlite:////srv/x.db polyant keys issue support-bot\n" in text
    # A variable also applies to other commands.
    assert "\n  polyant keys issue support-bot\n" in banner_of(summary(), POLYANT_HOME=home)


def test_commands_use_uv_if_the_user_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert "\n  uv run polyant keys issue support-bot\n" in banner_of(summary())


def test_no_secret_is_shown() -> None:
    url, key, secret = "postgresql://me:the-password@db/polyant", "0f" * 32, "more than thirty-two characters..."
    text = banner_of(summary(), DATABASE_URL=url, ENCRYPTION_KEY=key, AUTH_SECRET=secret)
    assert "  Data       the PostgreSQL database in DATABASE_URL\n" in text
    assert "  Keys       from the environment\n" in text
    for hidden in ("the-password", key, secret):
        assert hidden not in text


@pytest.mark.parametrize(
    "host, expected",
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("chat.example", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
