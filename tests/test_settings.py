import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from polyant.domain.limits import RateLimit
from polyant.domain.proxies import Proxy
from polyant.domain.secrets import SecretText
from polyant.http.error_bodies import ErrorFormat
from polyant.settings import (
    LogFormat,
    RateLimitFail,
    ServeRole,
    Settings,
    SettingsError,
    Variable,
    read_settings,
    variables,
)

KEY = "0123456789abcdefABCDEF" + "0" * 42
SECONDS = [
    *("HEARTBEAT_SECONDS", "STREAM_HEAD_SECONDS", "CONNECT_SECONDS", "FIRST_TOKEN_SECONDS", "IDLE_SECONDS"),
    *("TURN_SECONDS", "SHUTDOWN_SECONDS"),
]

GOOD: list[tuple[str, str, Any]] = [
    ("INITIAL_ADMIN_EMAIL", "Ada@Example.com", "ada@example.com"),
    ("POLYANT_HOME", "/srv/polyant", Path("/srv/polyant")),
    ("API_HOST", "0.0.0.0", "0.0.0.0"),
    ("API_PORT", "0", 0),
    ("API_PORT", "65535", 65_535),
    ("HTTPS_PROXY", "http://proxy:3128", Proxy(url="http://proxy:3128")),
    ("HTTP_PROXY", "proxy:3128/", Proxy(url="http://proxy:3128")),
    ("NO_PROXY", "localhost, .Example 10.0.0.0/8", ("localhost", ".example", "10.0.0.0/8")),
    ("RATE_LIMIT", "5/1", RateLimit(5, 1)),
    ("RATE_LIMIT", "OFF", None),
    ("RATE_LIMIT_FAIL", "open", RateLimitFail.OPEN),
    ("SERVE_ROLE", "channels", ServeRole.CHANNELS),
    ("ERROR_FORMAT", "openai", ErrorFormat.OPENAI),
    ("ERROR_FORMAT", "nestjs", ErrorFormat.NESTJS),
    ("DATABASE_POOL_SIZE", "1", 1),
    ("TRUST_PROXY", "2", 2),
    ("CORS_ORIGINS", "https://a.example, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
    ("CORS_ORIGINS", "https://A.Example", ("https://a.example",)),
    ("CORS_ORIGINS", "*", ("*",)),
    ("ALLOWED_HOSTS", "Chat.Example,10.0.0.1 [fd00::1]", ("chat.example", "10.0.0.1", "fd00::1")),
    ("ALLOWED_HOSTS", "*", ("*",)),
    ("MAX_BODY_BYTES", "1024", 1_024),
    ("MAX_CONCURRENT_TURNS", "1", 1),
    ("REPORT_USAGE", "True", True),
    ("REPORT_USAGE", "1", True),
    ("REPORT_USAGE", "off", False),
    (
        "PROVIDER_HOSTS",
        "proxy.example, llm.example:8443 http://localhost:11434/v1",
        {"https://proxy.example:443", "https://llm.example:8443", "http://localhost:11434"},
    ),
    (
        "OUTBOUND_ORIGINS",
        "http://Ollama:11434, https://mcp.internal/ http://[fd00::1]:8000",
        {"http://ollama:11434", "https://mcp.internal:443", "http://[fd00::1]:8000"},
    ),
    ("DATETIME_TIMEZONE", "Europe/Rome", "Europe/Rome"),
    ("DATETIME_LOCALE", "it-IT", "it-IT"),
    ("DATETIME_LOCALE", "de", "de"),
    ("TURN_LOG_DAYS", "3650", 3_650),
    ("LOG_FORMAT", "json", LogFormat.JSON),
    ("SCRIPTED_TURNS", __file__, Path(__file__)),
    ("INSTANCE_REPO", "memory", "memory"),
    ("CHAT_MODELS", "mine, openai", ("mine", "openai")),
    *((name, "0.25", 0.25) for name in SECONDS),
    *((name, "86400", 86_400.0) for name in SECONDS),
]

BAD = [
    *(("METRICS_TOKEN", "fifteen-letters"), ("METRICS_TOKEN", "a token with spaces in it")),
    *(("INITIAL_ADMIN_EMAIL", "ada"), ("INITIAL_ADMIN_PASSWORD", "11-letters-")),
    *(("API_PORT", text) for text in ("-1", "65536", "http", "4000.5")),
    *(
        ("DATABASE_URL", text)
        for text in ("mysql://root:the-password@db/x", "sqlite://x.db", "sqlite:///", "the-password")
    ),
    *(("ENCRYPTION_KEY", text) for text in ("abc", "g" * 64, KEY + "0", f"0x{KEY[2:]}!")),
    ("AUTH_SECRET", "only-thirty-one-characters-long"),
    *(("RATE_LIMIT", text) for text in ("20", "0/60", "20/0", "20 per minute", "-1/60")),
    *((name, text) for name in ("HTTPS_PROXY", "HTTP_PROXY") for text in ("socks5://p:1", "https://me:pw@p:1", "p q")),
    ("RATE_LIMIT_FAIL", "maybe"),
    ("ERROR_FORMAT", "rfc9457"),
    *(("DATABASE_POOL_SIZE", text) for text in ("0", "1001", "ten")),
    *(("TRUST_PROXY", text) for text in ("yes", "-1", "33")),
    *(("CORS_ORIGINS", text) for text in ("app.example", "https://app.example/", "https://me@app.example", "https://")),
    *(("ALLOWED_HOSTS", text) for text in ("https://a.example", "a.example:80", "*.a.example", "a/b", "user@a")),
    *(("MAX_BODY_BYTES", text) for text in ("1023", "4MB", "1073741825")),
    *(("MAX_CONCURRENT_TURNS", text) for text in ("0", "many")),
    ("REPORT_USAGE", "maybe"),
    *(("PROVIDER_HOSTS", text) for text in ("ftp://a.example", "https://user:the-password@a.example", "a b@c")),
    *(
        ("OUTBOUND_ORIGINS", text)
        for text in ("ollama:11434", "ftp://a.example", "http://a.example/v1", "http://me@a.example", "http://a?b", "*")
    ),
    *(("DATETIME_TIMEZONE", text) for text in ("Rome", "Europe", "../UTC", "/etc/passwd")),
    *(("DATETIME_LOCALE", text) for text in ("english", "xx-YY")),
    *(("TURN_LOG_DAYS", text) for text in ("0", "3651", "1.5", "30 days")),
    ("LOG_FORMAT", "xml"),
    *(("SCRIPTED_TURNS", text) for text in ("/no/such/file", "/")),
    ("CHAT_MODELS", ","),
    *((name, text) for name in SECONDS for text in ("0", "-1", "nan", "inf", "86401", "5s")),
]


def field_of(name: str) -> str:
    return next(field for field, variable in variables().items() if variable.name == name)


@pytest.mark.parametrize("name, text, value", GOOD)
def test_valid_value_is_read(name: str, text: str, value: Any) -> None:
    assert getattr(read_settings({name: text}), field_of(name)) == value


@pytest.mark.parametrize("name, text", BAD)
def test_invalid_value_is_refused_with_the_allowed_values(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: text})
    variable = variables()[field_of(name)]
    given = f", not {json.dumps(text[:40])}" if variable.shows_value else ""
    assert str(caught.value) == f"{name} must be {variable.allowed}{given}"


@pytest.mark.parametrize("field, variable", variables().items())
def test_invalid_values_are_shown_only_if_they_cannot_be_secret(field: str, variable: Variable) -> None:
    kinds = {int, float, bool, ErrorFormat, int | None, RateLimit | None, RateLimitFail, LogFormat, ServeRole}
    assert get_type_hints(Settings)[field] in kinds or not variable.shows_value


@pytest.mark.parametrize(
    "name, text",
    [
        ("DATABASE_URL", "sqlite:///data.db"),
        ("DATABASE_URL", "sqlite:////srv/data.db"),
        ("DATABASE_URL", "postgresql://me:the-password@db/polyant"),
        ("DATABASE_URL", "postgres://db/polyant"),
        ("ENCRYPTION_KEY", KEY),
        ("AUTH_SECRET", "exactly-thirty-two-characters-!!"),
        ("METRICS_TOKEN", "exactly-16-chars"),
        ("INITIAL_ADMIN_PASSWORD", "twelve chars"),
    ],
)
def test_secret_is_read_and_never_shown(name: str, text: str) -> None:
    settings = read_settings({name: text})
    secret = getattr(settings, field_of(name))
    assert isinstance(secret, SecretText)
    assert secret.reveal() == text
    assert text not in repr(settings)


def test_proxies_are_also_read_from_lower_case_variables() -> None:
    settings = read_settings({"https_proxy": "http://low:1", "HTTP_PROXY": "http://up:2", "http_proxy": "http://low:3"})
    assert settings.https_proxy == Proxy(url="http://low:1")
    assert settings.http_proxy == Proxy(url="http://up:2")


def test_all_errors_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"API_PORT": "no", "AUTH_SECRET": "short", "LOG_FORMAT": "text"})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["API_PORT", "AUTH_SECRET"]


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_empty_variable_counts_as_unset(text: str) -> None:
    unset = read_settings({})
    blank = read_settings(dict.fromkeys((variable.name for variable in variables().values()), text))
    for field in Settings.__struct_fields__:
        assert getattr(blank, field) == getattr(unset, field)


def test_surrounding_spaces_are_ignored() -> None:
    assert read_settings({"API_PORT": " 4001\n"}).port == 4001


def test_defaults_are_safe_to_start_with() -> None:
    settings = read_settings({})
    assert (settings.host, settings.port, settings.home) == ("127.0.0.1", 4000, Path(".polyant"))
    assert settings.rate_limit == RateLimit(20, 60)
    assert (settings.trust_proxy, settings.cors_origins, settings.allowed_hosts) == (0, (), ())
    assert settings.provider_hosts == frozenset()


def test_every_field_has_a_distinct_variable() -> None:
    names = [variable.name for variable in variables().values()]
    assert len(names) == len(set(names)) == len(Settings.__struct_fields__)


@pytest.mark.parametrize(
    "url, expected", [("postgresql://db/x", True), ("postgres://db/x", True), ("sqlite:///postgres.db", False)]
)
def test_postgresql_is_distinguished_from_sqlite(url: str, *, expected: bool) -> None:
    assert read_settings({"DATABASE_URL": url}).uses_postgresql is expected


def test_sqlite_is_used_without_a_database_url() -> None:
    assert not read_settings({}).uses_postgresql
