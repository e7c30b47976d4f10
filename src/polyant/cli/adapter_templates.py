"""The templates of `polyant adapters new`, one for each port that takes adapters."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from polyant.adapter_groups import CONVERSATION_GROUPS, GROUPS

_TEMPLATES = Path(__file__).parent / "templates"
_COMMON = _TEMPLATES / "common"
_SUFFIX = ".template"

_LISTS = {
    "channel": "CHANNELS=telegram,slack,whatsapp,NAME",
    "chat_model": "CHAT_MODELS=openai,anthropic,scripted,NAME",
    "tool": "POLYANT_TOOLS=NAME",
    "turn_observer": "TURN_OBSERVERS=NAME",
}
_WITHOUT_HYPHENS = frozenset({"channel", "tool"})
_STORE = ("archive", "audit_log", "channel_connections", "instance_history", "session_repo", "skill_files", "user_repo")
_FOLLOW_MEMORY = "Override the methods of the adapter with calls of your store, one after the other."
_FOLLOW_STORE = (
    "Override the methods of the adapter with calls of your store, one after the other. The port shares its store with "
    "others: write their adapters too, in this package. Until then, `memory` is the same store as this one."
)


class AdapterTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The texts that differ between the packages of ports."""

    page: str
    """The page of the port in `docs/adapters`."""
    settings: str = ""
    """Further variables that the command to serve needs."""
    step: str = "Replace the body of the adapter."
    requirement: str = "polyant"
    """The package to depend on, with the extras that the adapter or its rig needs."""
    folder: str = ""
    """The template's folder; by default, the port's name."""
    ports: tuple[str, ...] = ()
    """The ports with adapters in the package; by default, one."""


_FIVE = AdapterTemplate(
    page="conversations.md",
    step=_FOLLOW_MEMORY,
    folder="conversation_store",
    ports=tuple(group.name for group in CONVERSATION_GROUPS),
)

TEMPLATES: dict[str, AdapterTemplate] = {
    "channel": AdapterTemplate(
        page="channels.md",
        settings="POLYANT_VARIABLE_URL=https://api.platform.example",
        step="Replace the structs and the calls by those of your platform, in the adapter and in the protocol of its "
        "test.",
    ),
    "chat_model": AdapterTemplate(
        page="chat-models.md", step="Replace `Piece`, `Call` and `encode` by the format of your provider."
    ),
    "document_reader": AdapterTemplate(
        page="media.md", settings="POLYANT_VARIABLE_URL=http://localhost:9998", step="Call your service in `read_pdf`."
    ),
    "image_fetcher": AdapterTemplate(
        page="media.md", settings="POLYANT_VARIABLE_URL=http://localhost:9997/", step="Call your service in `_fetch`."
    ),
    "instance_repo": AdapterTemplate(
        page="instances.md",
        settings="POLYANT_VARIABLE_PATH=instances.json",
        step="Read your own format in `_read`, and write it in `add`, `save` and `delete` if it isn't read-only. The "
        "file has to exist: `[]` has no instances.",
    ),
    "key_check": AdapterTemplate(page="key-check.md", step="Replace the statements by those of your store."),
    "login_history": AdapterTemplate(page="instances.md", step=_FOLLOW_MEMORY),
    "media_store": AdapterTemplate(page="media.md", step=_FOLLOW_MEMORY),
    "password_hasher": AdapterTemplate(page="password-hashers.md", step="Replace `_key` by your algorithm."),
    "rate_limiter": AdapterTemplate(page="rate-limiters.md"),
    "rate_policy": AdapterTemplate(page="rate-policies.md", step="Decide the limits in `limits_of`."),
    "secret_cipher": AdapterTemplate(
        page="ciphers.md",
        settings='POLYANT_VARIABLE_KEY="$(openssl rand -hex 32)"',
        step="Have your key management service unwrap the keys.",
    ),
    "supervisor": AdapterTemplate(page="supervisors.md", step="Run your agent framework in `converse`."),
    "tool": AdapterTemplate(page="tools.md", step="Replace the arguments, the description and `run`."),
    "tool_servers": AdapterTemplate(
        page="tool-servers.md",
        settings="POLYANT_VARIABLE_BLOCKED=files.example",
        step="Change the servers before they are opened, or open them with a client of your own.",
        requirement="polyant[mcp]",
    ),
    "transcriber": AdapterTemplate(
        page="media.md", settings="POLYANT_VARIABLE_URL=http://localhost:9000/", step="Call your service in `_post`."
    ),
    "turn_log": AdapterTemplate(page="turns.md", step=_FOLLOW_MEMORY),
    "turn_observer": AdapterTemplate(page="turns.md", step="Send the observations in batches to your system."),
    **{port: AdapterTemplate(page="instances.md", step=_FOLLOW_STORE) for port in _STORE},
    **dict.fromkeys(_FIVE.ports, _FIVE),
}


def texts_of(port: str) -> dict[str, str]:
    """Returns the texts of a port's package, by their placeholders; they may contain the placeholders of its name."""
    template = TEMPLATES[port]
    entry_points = "".join(
        f'[project.entry-points."polyant.{name}"]\nNAME = "MODULE.{name}:CLASS{_class_of(name)}"\n\n'
        for name in template.ports or (port,)
    )
    return {
        "TITLE": _title_of(port),
        "ENTRY_POINTS\n": entry_points,
        "CHOICE": " ".join(filter(None, (_choice_of(port), template.settings))),
        "STEP": template.step,
        "PAGE": template.page,
        "REQUIREMENT": template.requirement,
    }


def name_of(port: str, name: str) -> str:
    """Returns the name of the entry point: the names of tools and channels contain no hyphens."""
    return name.replace("-", "_") if port in _WITHOUT_HYPHENS else name


def files_of(port: str) -> Iterator[tuple[Path, str]]:
    """Yields the relative path and the content of each file of a port's package, with placeholders in both."""
    own = _TEMPLATES / (TEMPLATES[port].folder or port)
    found = {path.relative_to(root): path for root in (_COMMON, own) for path in root.rglob(f"*{_SUFFIX}")}
    for relative, path in sorted(found.items()):
        yield relative.with_suffix(""), path.read_text()


def _choice_of(port: str) -> str:
    """Returns the variables that choose the adapter, and the rest of its store."""
    if port in _LISTS:
        return _LISTS[port]
    setting = next(group.setting for group in GROUPS if group.name == port).upper()
    others = [f"{name.upper()}=memory" for name in ("instance_repo", *_STORE) if port in _STORE and name != port]
    return " ".join([f"{setting}=NAME", *others])


def _title_of(port: str) -> str:
    name = "store of conversations" if TEMPLATES[port].ports else _class_of(port)
    return f"{'An' if name[0] in 'AEIO' else 'A'} {name}"


def _class_of(port: str) -> str:
    return next(group.port.__name__ for group in GROUPS if group.name == port)
