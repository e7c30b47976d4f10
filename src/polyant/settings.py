"""All settings, decoded from environment variables into one frozen struct."""

import enum
import json
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from polyant.adapters.piccolo import MAX_CONNECTIONS
from polyant.adapters.system.date_time_formatter import describer
from polyant.domain.base_urls import parse_base_url
from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import ProviderTimeouts, RateLimit, TurnBudget, parse_rate_limit
from polyant.domain.media.transcription import DEFAULT_TRANSCRIPTION_MODEL
from polyant.domain.proxies import PROXY_RULE, Proxy, parse_direct_hosts, parse_proxy
from polyant.domain.rate_limits import RateLimits
from polyant.domain.secrets import SecretText
from polyant.domain.urls import is_server_url, origin_of
from polyant.domain.users import PASSWORD_RULE, Email, check_password, parse_email
from polyant.http import defaults
from polyant.http.error_bodies import ErrorFormat


class SettingsError(Exception):
    """Invalid environment variables; the message has one line for each and contains no secret."""


class LogFormat(enum.StrEnum):
    """Format of log lines."""

    TEXT = "text"
    JSON = "json"


class RateLimitFail(enum.StrEnum):
    """Behaviour while the rate limiter can't reach its storage."""

    OPEN = "open"
    CLOSED = "closed"


class ServeRole(enum.StrEnum):
    """The work of a serving process."""

    ALL = "all"
    API = "api"
    """Requests, webhooks included; messages of channels are stored, but not answered."""
    CHANNELS = "channels"
    """The answers of channels, with webhooks, health checks and metrics; no /v1, no /api and no panel."""


class Variable(msgspec.Struct, frozen=True):
    """One environment variable and how its text is decoded."""

    name: str
    parse: Callable[[str], Any]
    allowed: str
    """The allowed values, in words that fit after "must be"."""
    description: str
    default: str = ""
    """The default in words, where the field's own default doesn't show it."""
    alias: str = ""
    """Another name of the variable, read if the first isn't set."""
    shows_value: bool = False
    """Whether errors may contain an invalid value; only for numbers and fixed words, which are never secret."""

    def fault(self, text: str) -> str | None:
        """Returns what is wrong with a value, as words that follow the variable's name; None if the value is valid.

        An empty value is valid: it counts as unset.
        """
        text = text.strip()
        try:
            if text:
                self.parse(text)
        except (ValueError, KeyError, OSError, InvalidInputError):
            given = f", not {json.dumps(text[:_MAX_SHOWN])}" if self.shows_value else ""
            return f"must be {self.allowed}{given}"
        return None


def _whole(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not minimum <= number <= maximum:
            raise ValueError
        return number

    return parse


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= _MAX_SECONDS:  # also refuses nan and inf
        raise ValueError
    return number


def _flag(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def _names(text: str) -> tuple[str, ...]:
    words = _words(text)
    if not words:
        raise ValueError
    return words


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(map(_host, _words(text)))


def _host(word: str) -> str:
    """Returns a host name or address in the form in which it is compared with the host of a Host header."""
    host = word.lower().strip("[]")
    if not re.match(r"\A([a-z0-9_-][a-z0-9._-]*|\*)\Z", host):
        ip_address(host)
    return host


def _host_set(text: str) -> frozenset[str]:
    hosts = frozenset(_words(text.lower()))
    if any(re.search(r"[/@?#\\]", host) for host in hosts):
        raise ValueError
    return hosts


def _web_origins(text: str) -> tuple[str, ...]:
    origins = _words(text.lower())  # browsers send them in lower case
    for origin in origins:
        if origin != "*" and not re.match(r"\A[a-z][a-z0-9+.-]*://[^/\s?#@]+\Z", origin):
            raise ValueError
    return origins


def _public_origin(text: str) -> str:
    origin = text.lower().rstrip("/")
    if not origin.startswith("https://") or not is_server_url(origin) or re.search(r"[/?#@\\]", origin[8:]):
        raise ValueError
    return origin


def _provider_origins(text: str) -> frozenset[str]:
    """Returns the origins of hosts given as `host`, `host:port` or a URL; the default scheme is https."""
    return frozenset(origin_of(parse_base_url(word if "://" in word else f"https://{word}")) for word in _words(text))


def _origins(text: str) -> frozenset[str]:
    """Returns origins given as scheme, host and optional port."""
    words = _words(text)
    if not all(is_server_url(word) and re.match(r"\A[a-z]+://[^/?#]+/?\Z", word, re.IGNORECASE) for word in words):
        raise ValueError
    return frozenset(map(origin_of, words))


def _zone(text: str) -> str:
    ZoneInfo(text)
    return text


def _locale(text: str) -> str:
    describer(text)
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError
    return path


def _matching(pattern: str) -> Callable[[str], SecretText]:
    def parse(text: str) -> SecretText:
        if not re.match(pattern, text):
            raise ValueError
        return SecretText(text)

    return parse


def _password(text: str) -> SecretText:
    return SecretText(check_password(text))


def _model(text: str) -> str:
    if not re.match(r"\A[!-~]{1,256}\Z", text):
        raise ValueError
    return text


def _keys(text: str) -> tuple[SecretText, ...]:
    return tuple(map(_master_key, _words(text)))


def _adapter(port: str, description: str, default: str = "") -> Variable:
    return Variable(
        port.upper(), str, "the name of an installed adapter (see `polyant adapters`)", description, default
    )


_master_key = _matching(r"\A[0-9a-fA-F]{64}\Z")

_MAX_SECONDS = 86_400
_MAX_SHOWN = 40
_BUDGET = TurnBudget()
_TIMEOUTS = ProviderTimeouts()

FIRST_EMAIL = Email("admin@localhost")
"""The default email address of the first user."""


def _number(name: str, minimum: int, maximum: int, description: str) -> Variable:
    return Variable(
        name, _whole(minimum, maximum), f"a whole number from {minimum} to {maximum}", description, shows_value=True
    )


def _duration(name: str, description: str) -> Variable:
    allowed = f"a number of seconds above 0 and up to {_MAX_SECONDS}, such as 2.5"
    return Variable(name, _seconds, allowed, description, shows_value=True)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's configuration."""

    home: Annotated[
        Path, Variable("POLYANT_HOME", Path, "a path", "Folder of the SQLite database and the key files")
    ] = Path(".polyant")
    host: Annotated[str, Variable("API_HOST", str, "a host name or IP address", "Address to listen on")] = "127.0.0.1"
    port: Annotated[
        int,
        _number("API_PORT", 0, 65_535, "Port to listen on; 0 picks a free one"),
    ] = 4000
    database_url: Annotated[
        SecretText | None,
        Variable(
            "DATABASE_URL",
            _matching(r"(?s)\A(sqlite:///.|postgres(ql)?://.)"),
            "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME",
            "Database to use",
            "a SQLite file in POLYANT_HOME",
        ),
    ] = None
    database_pool_size: Annotated[
        int,
        _number("DATABASE_POOL_SIZE", 1, 1_000, "Maximum PostgreSQL connections per worker"),
    ] = MAX_CONNECTIONS
    encryption_key: Annotated[
        SecretText | None,
        Variable(
            "ENCRYPTION_KEY",
            _master_key,
            "64 hexadecimal digits",
            "Master key that encrypts the stored secrets",
            "a file in POLYANT_HOME",
        ),
    ] = None
    encryption_key_previous: Annotated[
        tuple[SecretText, ...],
        Variable(
            "ENCRYPTION_KEY_PREVIOUS",
            _keys,
            "keys of 64 hexadecimal digits, separated by commas",
            "Earlier master keys, used for decryption only",
            "a file in POLYANT_HOME, if there is one",
        ),
    ] = ()
    auth_secret: Annotated[
        SecretText | None,
        Variable(
            "AUTH_SECRET",
            _matching(r"(?s)\A.{32,}\Z"),
            "at least 32 characters",
            "Secret that signs user sessions",
            "a file in POLYANT_HOME",
        ),
    ] = None
    rate_limit: Annotated[
        RateLimit | None,
        Variable(
            "RATE_LIMIT",
            parse_rate_limit,
            "calls/seconds such as 20/60, or off",
            "Rate limit for chat requests per client address",
            shows_value=True,
        ),
    ] = defaults.RATE_LIMIT
    channel_user_rate_limit: Annotated[
        RateLimit | None,
        Variable(
            "CHANNEL_USER_RATE_LIMIT",
            parse_rate_limit,
            "turns/seconds such as 20/600, or off",
            "Rate limit for the turns of each user of a channel; over it, the user is told once",
            shows_value=True,
        ),
    ] = RateLimits().channel_user
    channel_instance_rate_limit: Annotated[
        RateLimit | None,
        Variable(
            "CHANNEL_INSTANCE_RATE_LIMIT",
            parse_rate_limit,
            "turns/seconds such as 600/600, or off",
            "Rate limit for the turns of all channel users of an instance together",
            shows_value=True,
        ),
    ] = RateLimits().channel_instance
    rate_limit_fail: Annotated[
        RateLimitFail,
        Variable(
            "RATE_LIMIT_FAIL",
            RateLimitFail,
            "open or closed",
            "Behaviour while the rate limiter can't reach its storage: allow requests (open) or respond 503 (closed)",
            shows_value=True,
        ),
    ] = RateLimitFail.CLOSED
    trust_proxy: Annotated[
        int,
        _number("TRUST_PROXY", 0, 32, "Number of trusted proxies that append to X-Forwarded-For"),
    ] = 0
    cors_origins: Annotated[
        tuple[str, ...],
        Variable(
            "CORS_ORIGINS",
            _web_origins,
            "origins such as https://app.example, separated by commas, or *",
            "Origins of web pages that may call /v1",
            "none",
        ),
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...],
        Variable(
            "ALLOWED_HOSTS",
            _hosts,
            "host names without ports, separated by commas, or *",
            "Host names accepted on a loopback address, in addition to localhost",
            "none",
        ),
    ] = ()
    public_url: Annotated[
        str | None,
        Variable(
            "PUBLIC_URL",
            _public_origin,
            "an https origin such as https://assistants.example.com, without a path",
            "Address at which the internet reaches the server; the panel shows it, and accepts it as its own",
            "none",
        ),
    ] = None
    panel: Annotated[
        bool,
        Variable("PANEL", _flag, "on or off", "Serve the admin panel", "on"),
    ] = True
    max_body_bytes: Annotated[
        int,
        _number("MAX_BODY_BYTES", 1_024, 2**30, "Maximum size of a request body, in bytes"),
    ] = defaults.MAX_BODY_BYTES
    max_concurrent_turns: Annotated[
        int,
        _number("MAX_CONCURRENT_TURNS", 1, 10**6, "Maximum concurrent turns per worker"),
    ] = 1_000
    error_format: Annotated[
        ErrorFormat,
        Variable(
            "ERROR_FORMAT",
            ErrorFormat,
            "nestjs or openai",
            "Format of errors under /v1; openai is for clients that hide the message of any other",
        ),
    ] = ErrorFormat.NESTJS
    report_usage: Annotated[
        bool,
        Variable(
            "REPORT_USAGE",
            _flag,
            "true or false",
            "Report the real token usage in responses instead of zeros",
            shows_value=True,
        ),
    ] = False
    provider_hosts: Annotated[
        frozenset[str],
        Variable(
            "PROVIDER_HOSTS",
            _provider_origins,
            "hosts, host:port pairs or URLs, separated by commas; without a scheme, https",
            "Hosts that receive the provider keys of the environment, in addition to the providers' own hosts. Scheme "
            "and port have to match the base URL, as in http://llm.internal:8000",
            "none",
        ),
    ] = frozenset()
    outbound_origins: Annotated[
        frozenset[str],
        Variable(
            "OUTBOUND_ORIGINS",
            _origins,
            "origins such as http://ollama:11434, separated by commas",
            "Origins outside the public internet that every user may set as a provider's or an MCP server's address",
            "none",
        ),
    ] = frozenset()
    https_proxy: Annotated[
        Proxy | None,
        Variable(
            "HTTPS_PROXY",
            parse_proxy,
            PROXY_RULE,
            "Proxy for calls to model providers over https",
            "none",
            alias="https_proxy",
        ),
    ] = None
    http_proxy: Annotated[
        Proxy | None,
        Variable(
            "HTTP_PROXY",
            parse_proxy,
            PROXY_RULE,
            "Proxy for calls to model providers over http",
            "none",
            alias="http_proxy",
        ),
    ] = None
    no_proxy: Annotated[
        tuple[str, ...],
        Variable(
            "NO_PROXY",
            parse_direct_hosts,
            "host names, IP addresses or networks such as 10.0.0.0/8, separated by commas, or *",
            "Hosts to call without a proxy; a name includes its subdomains",
            "none",
            alias="no_proxy",
        ),
    ] = ()
    heartbeat_seconds: Annotated[
        float, _duration("HEARTBEAT_SECONDS", "Seconds of silence in a stream before a heartbeat comment is sent")
    ] = defaults.HEARTBEAT_SECONDS
    request_seconds: Annotated[
        float,
        _duration(
            "REQUEST_SECONDS",
            "Maximum seconds for a request's first byte, its headers, and each further piece of its body",
        ),
    ] = defaults.REQUEST_SECONDS
    stall_seconds: Annotated[
        float,
        _duration("STALL_SECONDS", "Maximum seconds for which a client may accept no data before it is disconnected"),
    ] = defaults.STALL_SECONDS
    keep_alive_seconds: Annotated[
        float, _duration("KEEP_ALIVE_SECONDS", "Seconds to keep an idle connection open after a response")
    ] = defaults.KEEP_ALIVE_SECONDS
    max_connections: Annotated[
        int | None,
        Variable(
            "MAX_CONNECTIONS",
            _whole(1, 10**6),
            "a whole number from 1 to 1000000",
            "Maximum client connections per worker",
            "the smaller of 10000 and half of the open-file limit less 100",
            shows_value=True,
        ),
    ] = None
    stream_head_seconds: Annotated[
        float,
        _duration(
            "STREAM_HEAD_SECONDS", "Maximum seconds to wait for the first event before a stream's status line is sent"
        ),
    ] = defaults.STREAM_HEAD_SECONDS
    connect_seconds: Annotated[float, _duration("CONNECT_SECONDS", "Maximum seconds to connect to a provider")] = (
        _TIMEOUTS.connect
    )
    first_token_seconds: Annotated[
        float, _duration("FIRST_TOKEN_SECONDS", "Maximum seconds until the first token of a provider's stream")
    ] = _TIMEOUTS.first_token
    idle_seconds: Annotated[float, _duration("IDLE_SECONDS", "Maximum seconds of silence in a provider's stream")] = (
        _TIMEOUTS.idle
    )
    turn_seconds: Annotated[float, _duration("TURN_SECONDS", "Maximum seconds for a turn")] = _BUDGET.turn_seconds
    shutdown_seconds: Annotated[
        float, _duration("SHUTDOWN_SECONDS", "Seconds that running turns get to finish when the server stops")
    ] = defaults.SHUTDOWN_SECONDS
    drain_seconds: Annotated[
        float,
        _duration(
            "DRAIN_SECONDS",
            "Seconds for which a stopping server still answers requests on open connections, at most half of "
            "SHUTDOWN_SECONDS",
        ),
    ] = defaults.DRAIN_SECONDS
    media_bytes: Annotated[
        int,
        _number(
            "MEDIA_BYTES",
            1_024,
            2**40,
            "Maximum bytes of one image, recording or document, and of all that the running turns of a worker hold",
        ),
    ] = 64 * 1024 * 1024
    media_folder: Annotated[
        Path | None,
        Variable("MEDIA_FOLDER", Path, "a path", "Folder of the media store `folder`", "`media` in POLYANT_HOME"),
    ] = None
    conversation_days: Annotated[
        int,
        _number("CONVERSATION_DAYS", 1, 36_500, "Days to keep the messages of conversations"),
    ] = 30
    serve_role: Annotated[
        ServeRole,
        Variable(
            "SERVE_ROLE",
            ServeRole,
            "all, api or channels",
            "Work of a serving process: with api, it leaves the answers of channels to processes with another role; "
            "with channels, it answers them and serves only webhooks, health checks and metrics",
            shows_value=True,
        ),
    ] = ServeRole.ALL
    lease_seconds: Annotated[
        float,
        _duration(
            "LEASE_SECONDS", "Seconds after which other workers can take over a conversation from a worker that died"
        ),
    ] = 30.0
    turn_log_days: Annotated[
        int,
        _number("TURN_LOG_DAYS", 1, 3_650, "Days to keep turn metrics"),
    ] = 30
    metrics_token: Annotated[
        SecretText | None,
        Variable(
            "METRICS_TOKEN",
            _matching(r"\A[!-~]{16,512}\Z"),
            "16 to 512 visible ASCII characters",
            "Bearer token that gives access to /metrics",
            "metrics are off",
        ),
    ] = None
    initial_admin_email: Annotated[
        Email | None,
        Variable(
            "INITIAL_ADMIN_EMAIL",
            parse_email,
            "an email address",
            "Email address of the first user, created if no user exists",
            FIRST_EMAIL,
        ),
    ] = None
    initial_admin_password: Annotated[
        SecretText | None,
        Variable(
            "INITIAL_ADMIN_PASSWORD",
            _password,
            f"a password of {PASSWORD_RULE}",
            "Password of the first user",
            "a random password, stored in a file in POLYANT_HOME",
        ),
    ] = None
    timezone: Annotated[
        str,
        Variable(
            "DATETIME_TIMEZONE", _zone, "an IANA time zone such as Europe/Rome", "Time zone of {{datetime}} in prompts"
        ),
    ] = "UTC"
    locale: Annotated[
        str, Variable("DATETIME_LOCALE", _locale, "a language tag such as en-US", "Language of {{datetime}} in prompts")
    ] = "en-US"
    log_format: Annotated[
        LogFormat, Variable("LOG_FORMAT", LogFormat, "text or json", "Format of log lines", shows_value=True)
    ] = LogFormat.TEXT
    script: Annotated[
        Path | None,
        Variable(
            "SCRIPTED_TURNS",
            _file,
            "an existing file",
            "Script of the provider `scripted`",
            "none; the provider echoes the message",
        ),
    ] = None
    instance_repo: Annotated[str, _adapter("instance_repo", "Adapter that stores instances")] = "piccolo"
    instance_history: Annotated[
        str, _adapter("instance_history", "Adapter that reads the earlier prompts and settings of instances")
    ] = "piccolo"
    skill_files: Annotated[str, _adapter("skill_files", "Adapter that reads the files of skills")] = "piccolo"
    key_check: Annotated[str, _adapter("key_check", "Adapter that stores the check value of the master key")] = (
        "piccolo"
    )
    secret_cipher: Annotated[str, _adapter("secret_cipher", "Adapter that encrypts secrets")] = "crypto"  # noqa: S105 - a name, no secret
    rate_limiter: Annotated[
        str,
        _adapter(
            "rate_limiter",
            "Adapter that enforces the rate limit",
            "piccolo; memory for `polyant serve` with one worker on SQLite",
        ),
    ] = "piccolo"
    rate_policy: Annotated[str, _adapter("rate_policy", "Adapter that decides which rate limits apply to a caller")] = (
        "default"
    )
    supervisor: Annotated[str, _adapter("supervisor", "Adapter that runs turns")] = "tool_loop"
    chat_models: Annotated[
        tuple[str, ...],
        Variable(
            "CHAT_MODELS",
            _names,
            "names of installed adapters (see `polyant adapters`), separated by commas",
            "Providers that instances can use",
        ),
    ] = ("openai", "anthropic", "scripted")
    channels: Annotated[
        tuple[str, ...],
        Variable(
            "CHANNELS",
            _words,
            "names of installed adapters (see `polyant adapters`), separated by commas",
            "Chat platforms that instances can be connected to; each is imported when an instance uses it",
        ),
    ] = ("telegram", "slack", "whatsapp")
    extra_tools: Annotated[
        tuple[str, ...],
        Variable(
            "POLYANT_TOOLS",
            _words,
            "names of installed tools (see `polyant adapters`), separated by commas",
            "Tools that instances can use, in addition to the built-in ones",
            "none",
        ),
    ] = ()
    tool_servers: Annotated[str, _adapter("tool_servers", "Adapter that calls MCP servers")] = "mcp"
    media_store: Annotated[
        str, _adapter("media_store", "Adapter that stores the images, recordings and documents of conversations")
    ] = "piccolo"
    transcriber: Annotated[
        str, _adapter("transcriber", "Adapter that transcribes recordings with the service in TRANSCRIBER_URL")
    ] = "openai"
    transcriber_url: Annotated[
        str,
        Variable(
            "TRANSCRIBER_URL",
            parse_base_url,
            "a base URL such as https://api.openai.com/v1",
            "Service that transcribes recordings; it gets a POST to /audio/transcriptions",
            "recordings aren't transcribed",
        ),
    ] = ""
    transcriber_model: Annotated[
        str,
        Variable("TRANSCRIBER_MODEL", _model, "the name of a model", "Model that transcribes recordings"),
    ] = DEFAULT_TRANSCRIPTION_MODEL
    transcriber_api_key: Annotated[
        SecretText | None,
        Variable(
            "TRANSCRIBER_API_KEY",
            _matching(r"\A[!-~]{1,512}\Z"),
            "1 to 512 visible ASCII characters",
            "API key of the service in TRANSCRIBER_URL",
            "none",
        ),
    ] = None
    document_reader: Annotated[
        str, _adapter("document_reader", "Adapter that reads PDF documents for providers that don't")
    ] = "pypdf"
    image_fetcher: Annotated[str, _adapter("image_fetcher", "Adapter that fetches images from the web")] = "http"
    user_repo: Annotated[str, _adapter("user_repo", "Adapter that stores users")] = "piccolo"
    session_repo: Annotated[str, _adapter("session_repo", "Adapter that stores user sessions")] = "piccolo"
    login_history: Annotated[
        str, _adapter("login_history", "Adapter that stores the networks of successful logins, as keyed hashes")
    ] = "piccolo"
    audit_log: Annotated[str, _adapter("audit_log", "Adapter that stores the audit log")] = "piccolo"
    archive: Annotated[str, _adapter("archive", "Adapter that backs up and restores all data")] = "piccolo"
    channel_connections: Annotated[
        str, _adapter("channel_connections", "Adapter that stores the connections of instances to chat platforms")
    ] = "piccolo"
    conversation_store: Annotated[
        str,
        _adapter(
            "conversation_store", "Adapters that store conversations, and what channels receive and send, in one store"
        ),
    ] = "piccolo"
    turn_log: Annotated[str, _adapter("turn_log", "Adapter that stores turn metrics")] = "piccolo"
    turn_observers: Annotated[
        tuple[str, ...],
        Variable(
            "TURN_OBSERVERS",
            _words,
            "names of installed adapters (see `polyant adapters`), separated by commas",
            "Adapters that observe turns, in addition to the turn log and the metrics",
            "none",
        ),
    ] = ()
    password_hasher: Annotated[str, _adapter("password_hasher", "Adapter that hashes passwords")] = "argon2id"  # noqa: S105 - a name, no secret
    http_tool_hosts: Annotated[
        frozenset[str],
        Variable(
            "HTTP_TOOL_HOSTS",
            _host_set,
            "hosts or host:port pairs, separated by commas",
            "Private hosts that the tool http_request can call",
            "none",
        ),
    ] = frozenset()

    @property
    def turn_observer_names(self) -> tuple[str, ...]:
        """The names of all turn observers: the turn log, the metrics if they are on, and `turn_observers`."""
        metrics = () if self.metrics_token is None else ("prometheus",)
        return tuple(dict.fromkeys(("turn_log", *metrics, *self.turn_observers)))

    @property
    def serves_panel(self) -> bool:
        """Whether this process serves the panel: processes that only answer channels don't."""
        return self.panel and self.serve_role is not ServeRole.CHANNELS

    @property
    def uses_postgresql(self) -> bool:
        """Whether the database is a PostgreSQL server."""
        return self.database_url is not None and self.database_url.reveal().startswith("postgres")


def variables() -> dict[str, Variable]:
    """Returns the environment variable of each field of `Settings`, in the order of the struct."""
    hints = get_type_hints(Settings, include_extras=True)
    return {field: hints[field].__metadata__[0] for field in Settings.__struct_fields__}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Returns the settings in the environment; an empty variable counts as unset.

    Raises:
        SettingsError: Some are invalid; the message names each of them and its allowed values.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field, variable in variables().items():
        text = (environ.get(variable.name) or environ.get(variable.alias) or "").strip()
        fault = variable.fault(text)
        if fault is not None:
            faults.append(f"{variable.name} {fault}")
        elif text:
            values[field] = variable.parse(text)
    if faults:
        raise SettingsError("\n".join(faults))
    return Settings(**values)
