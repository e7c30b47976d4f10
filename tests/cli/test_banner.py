from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polyant import __version__
from polyant.cli.banner import StartupInfo, banner, banner_fields
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
    info = StartupInfo(
        model=model, open_slugs=(), origin="http://localhost:4000", options=by_option, password_file=password_file
    )
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


def test_process_that_only_answers_channels_has_no_base_url_and_no_panel(tmp_path: Path) -> None:
    text = banner_of(summary(), SERVE_ROLE="channels")
    assert "ready to answer channels" in text
    assert "  Health     http://localhost:4000/health/ready\n" in text
    assert "Base URL" not in text
    assert "Panel" not in text
    settings = read_settings({"POLYANT_HOME": str(tmp_path), "SERVE_ROLE": "channels"})
    fields = banner_fields(settings, StartupInfo(origin="http://[::1]:5", model=None, open_slugs=(), options={}))
    assert (fields["role"], fields["base_url"], fields["panel"]) == ("channels", None, None)


def test_base_url_can_be_pasted() -> None:
    text = banner_of(summary())
    assert "  Base URL   http://localhost:4000/v1\n" in text
    assert "  curl http://localhost:4000/v1/chat/completions " in text


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


def test_fields_of_the_log_have_the_same_data(tmp_path: Path) -> None:
    file = tmp_path / "initial-admin-password"
    info = StartupInfo(model=summary(), open_slugs=(), origin="http://[::1]:5", options={}, password_file=file)
    assert banner_fields(read_settings({"POLYANT_HOME": str(tmp_path)}), info) == {
        "version": __version__,
        "role": "all",
        "base_url": "http://[::1]:5/v1",
        "panel": "http://[::1]:5/",
        "model": "support-bot",
        "data": f"{tmp_path}/polyant.db",
        "keys": f"{tmp_path}/keys",
        "password_file": str(file),
    }
