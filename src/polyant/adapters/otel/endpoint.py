"""The collector that receives the spans, from the standard variables of OpenTelemetry."""

import ssl
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from polyant.domain.injectables import Environ

_PREFIX = "OTEL_EXPORTER_OTLP_"
_DEFAULT = "http://localhost:4318"
_PATH = "/v1/traces"
_SECONDS = 10.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to send spans; without a repr of its headers, which may contain a key."""

    url: str
    headers: Mapping[str, str]
    seconds: float
    compressed: bool
    certificate: str | None

    def __repr__(self) -> str:
        """Returns a representation without the headers."""
        return f"Endpoint(url={self.url!r})"

    def tls(self) -> ssl.SSLContext | bool:
        """Returns how the collector's certificate is verified."""
        return True if self.certificate is None else ssl.create_default_context(cafile=self.certificate)


def endpoint_in(environ: Environ) -> Endpoint:
    """Returns the endpoint for traces; variables for traces override those for all signals.

    Raises:
        ValueError: A variable is invalid; the message names it.
    """
    url = environ.get(f"{_PREFIX}TRACES_ENDPOINT") or _url_for_traces(environ.get(f"{_PREFIX}ENDPOINT") or _DEFAULT)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{_PREFIX}ENDPOINT must be an http or https URL")
    return Endpoint(
        url=url,
        headers=_headers(_value(environ, "HEADERS")),
        seconds=_seconds(_value(environ, "TIMEOUT")),
        compressed=_value(environ, "COMPRESSION") == "gzip",
        certificate=_value(environ, "CERTIFICATE") or None,
    )


def _value(environ: Environ, name: str) -> str:
    return environ.get(f"{_PREFIX}TRACES_{name}") or environ.get(f"{_PREFIX}{name}") or ""


def _url_for_traces(base: str) -> str:
    return f"{base.rstrip('/')}{_PATH}"


def _headers(text: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError(f"{_PREFIX}HEADERS must be pairs such as name=value, separated by commas")
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _seconds(text: str) -> float:
    try:
        seconds = float(text or _SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3_600:  # noqa: PLR2004 - an hour
        raise ValueError(f"{_PREFIX}TIMEOUT must be a number of seconds above 0 and up to 3600")
    return seconds
