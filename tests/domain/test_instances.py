import string
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.base_urls import parse_base_url
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import (
    SLUG_RULE,
    Instance,
    InstanceId,
    InstanceStatus,
    Slug,
    check_instance,
    parse_slug,
)
from polyant.domain.secrets import AUTH_API_KEY, SealedSecret, SecretAddress
from polyant.domain.urls import origin_of

ENDS = string.ascii_lowercase + string.digits
NOW = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)
INSTANCE = Instance(
    id=InstanceId("0" * 32),
    slug=Slug("demo-bot"),
    name="Demo",
    provider="openai",
    model="gpt-5-mini",
    created_at=NOW,
    updated_at=NOW,
)


class TestParseSlug:
    @pytest.mark.parametrize("text", ["a", "7", "demo-bot", "gpt-4.1_mini", "a--b", "a" * 128])
    def test_valid_slug_is_returned_unchanged(self, text: str) -> None:
        assert parse_slug(text) == text

    @pytest.mark.parametrize(
        "text", ["", "-a", "a-", ".a", "a_", "A", "Demo", "a b", "a/b", "a\n", "\na", "é", "a" * 129, "\u0661", "a\0"]
    )
    def test_invalid_slug_is_refused_with_the_rule(self, text: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parse_slug(text)
        assert SLUG_RULE in caught.value.message

    @given(st.text(ENDS + "_.-A \n", max_size=140) | st.text())
    def test_slug_is_accepted_only_if_it_follows_the_rule(self, text: str) -> None:
        fits = 1 <= len(text) <= 128 and set(text) <= set(ENDS + "_.-") and {text[0], text[-1]} <= set(ENDS)
        assert _accepts_slug(text) == fits


class TestParseBaseUrl:
    @pytest.mark.parametrize(
        "text",
        [
            "https://api.openai.com/v1",
            "http://localhost:11434/v1",
            "http://ollama_1:11434",
            "HTTPS://API.OpenAI.com/v1",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/v1",
            "https://[2001:DB8::1]/v1",
            "https://host.example/models/@cf/v1",
            "https://host.example/a%20b",
        ],
    )
    def test_http_url_is_returned_unchanged(self, text: str) -> None:
        assert parse_base_url(text) == text

    @pytest.mark.parametrize("text", ["https://a.example/v1/", " https://a.example/v1 \n", "https://a.example/v1///"])
    def test_surrounding_spaces_and_trailing_slashes_are_removed(self, text: str) -> None:
        assert parse_base_url(text) == "https://a.example/v1"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "api.openai.com",
            "//api.openai.com",
            "https:",
            "https://",
            "https:///v1",
            "https:api.openai.com",
            "ftp://host",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "httpss://host",
            "https://host:0",
            "https://host:65536",
            "https://host:+80",
            "https://host:8_0",
            "https://host:http",
            "https://ho st",
            "https://host/a b",
            "https://host\\.evil.example",
            "https:\\\\host",
            "https://host/a\nb",
            "https://host/\x7f",
            "https://hôst",
            "https://\u212aelvin",
            "https://host/é",
            "https://host%00",
            "https://%6c%6f",
            "https://[::1",
            "https://::1",
            "https://[::1]evil.example",
            "https://evil.example[::1]",
            "https://[v1.x]",
            "https://[host]",
        ],
    )
    def test_url_without_a_server_or_with_an_ambiguous_one_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="must start with http:// or https:// and contain a host"):
            parse_base_url(text)

    @pytest.mark.parametrize(
        "text",
        [
            "https://user@host",
            "https://user:secret@host",
            "https://:secret@host",
            "https://@host",
            "https://host?key=secret",
            "https://host/v1?",
            "https://host/v1#secret",
            "https://host/v1#",
            "https://good.example#@evil.example",
            "https://good.example\\@evil.example",
        ],
    )
    def test_url_that_may_contain_a_secret_is_refused_without_showing_it(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="store keys as secrets") as caught:
            parse_base_url(text)
        assert "host/" not in caught.value.message

    @given(st.text(string.printable, max_size=40) | st.text(max_size=40))
    def test_any_text_after_the_scheme_has_an_origin_or_is_refused(self, text: str) -> None:
        try:
            url = parse_base_url(f"https://{text}")
        except InvalidInputError:
            return
        scheme, _, server = origin_of(url).partition("://")
        host, _, port = server.rpartition(":")
        assert scheme == "https"
        assert url.lower().startswith(f"https://{host}")
        assert 1 <= int(port) <= 65_535


class TestOriginOf:
    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            ("https://api.openai.com/v1", "https://api.openai.com:443"),
            ("https://api.openai.com:443", "https://api.openai.com:443"),
            ("http://localhost", "http://localhost:80"),
            ("http://localhost:11434/v1", "http://localhost:11434"),
            ("HTTPS://API.OpenAI.com:8443/V1", "https://api.openai.com:8443"),
            ("https://host:/v1", "https://host:443"),
            ("http://[::1]:8080/v1", "http://[::1]:8080"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443"),
        ],
    )
    def test_origin_is_scheme_host_and_port(self, url: str, origin: str) -> None:
        assert origin_of(url) == origin

    def test_origin_of_an_origin_is_itself(self) -> None:
        for url in ("https://api.openai.com/v1", "http://[::1]:8080"):
            assert origin_of(origin_of(url)) == origin_of(url)


class TestCheckInstance:
    def test_valid_instance_is_returned(self) -> None:
        assert check_instance(INSTANCE) is INSTANCE

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "n" * 128},
            {"name": "Büro 🐜"},
            {"description": ""},
            {"description": "two\nlines\tand a tab"},
            {"description": "d" * 2_000},
            {"model": "m" * 256},
            {"provider": "p" * 64},
            {"base_url": "http://[::1]:8080/v1"},
            {"temperature": 0},
            {"temperature": 2},
        ],
    )
    def test_field_at_its_bounds_is_accepted(self, change: dict[str, object]) -> None:
        instance = msgspec.structs.replace(INSTANCE, **change)
        assert check_instance(instance) is instance

    def test_options_of_16_kib_as_json_are_accepted(self) -> None:
        empty = len(msgspec.json.encode({"a": {"x": ""}, "b": {}}))
        largest = {"a": {"x": "é" * ((16 * 1024 - empty) // 2)}, "b": {}}
        assert check_instance(msgspec.structs.replace(INSTANCE, options=largest)).options == largest
        larger = {**largest, "b": {"y": 1}}
        with pytest.raises(InvalidInputError, match="options must have at most 16384 bytes as JSON"):
            check_instance(msgspec.structs.replace(INSTANCE, options=larger))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"slug": "Demo"}, "A slug must be"),
            ({"name": ""}, "name must have"),
            ({"name": "  "}, "name must have"),
            ({"name": "n" * 129}, "name must have"),
            ({"name": "a\0b"}, "name must have"),
            ({"name": "half \ud83d"}, "name must have"),
            ({"description": "d" * 2_001}, "description must have"),
            ({"description": "\x1b[31m"}, "description must have"),
            ({"model": ""}, "model must have"),
            ({"model": "m" * 257}, "model must have"),
            ({"provider": ""}, "provider must be"),
            ({"provider": "OpenAI"}, "provider must be"),
            ({"provider": "openai\n"}, "provider must be"),
            ({"provider": "p" * 65}, "provider must be"),
            ({"base_url": "ftp://host"}, "A base URL"),
            ({"temperature": -0.1}, "temperature must be"),
            ({"temperature": 2.1}, "temperature must be"),
            ({"temperature": float("nan")}, "temperature must be"),
        ],
    )
    def test_invalid_field_is_named(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(InvalidInputError, match=message):
            check_instance(msgspec.structs.replace(INSTANCE, **change))


class TestInstance:
    def test_instance_is_active_until_it_is_disabled(self) -> None:
        assert INSTANCE.is_active
        assert not msgspec.structs.replace(INSTANCE, status=InstanceStatus.DISABLED).is_active

    def test_secret_is_bound_to_its_instance_name_and_origin(self) -> None:
        secret = SealedSecret(name=AUTH_API_KEY, sealed="v1.k.x", updated_at=NOW, origin="https://host:443")
        assert INSTANCE.address_of(secret) == SecretAddress(
            instance_id=INSTANCE.id, name=AUTH_API_KEY, origin="https://host:443"
        )

    def test_instance_reports_whether_it_has_an_api_key(self) -> None:
        secret = SealedSecret(name=AUTH_API_KEY, sealed="v1.k.x", updated_at=NOW)
        assert not INSTANCE.has_auth_key
        assert msgspec.structs.replace(INSTANCE, secrets={AUTH_API_KEY: secret}).has_auth_key


def _accepts_slug(text: str) -> bool:
    try:
        parse_slug(text)
    except InvalidInputError:
        return False
    return True
