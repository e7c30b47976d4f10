"""The adapter groups, one for each port with adapters, and the adapters that the settings select."""

from typing import Any

from polyant.domain.channel_info import ChannelInfo
from polyant.domain.ports.archive import Archive
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.channel import Channel
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.document_reader import DocumentReader
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.lanes import Lanes
from polyant.domain.ports.login_history import LoginHistory
from polyant.domain.ports.media_store import MediaStore
from polyant.domain.ports.outbox import Outbox
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.rate_policy import RatePolicy
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ToolServers
from polyant.domain.ports.transcriber import Transcriber
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.tools import tool_spec
from polyant.plugins import Group
from polyant.settings import RateLimitFail, Settings, SettingsError


def _chat_model_fault(model: ChatModel, name: str) -> str | None:
    if not isinstance(model.info, ProviderInfo):
        return f"has an info of type {type(model.info).__name__} instead of ProviderInfo"
    # Instances refer to their provider by this name.
    return None if model.info.name == name else f"has the name '{model.info.name}' in its info"


def _tool_fault(tool: Tool, name: str) -> str | None:
    tool_spec(tool.name, tool.description, tool.arguments)  # fails if no schema can be derived
    return None if tool.name == name else f"has another name: '{tool.name}'"


def _channel_fault(channel: Channel, name: str) -> str | None:
    if not isinstance(channel.info, ChannelInfo):
        return f"has an info of type {type(channel.info).__name__} instead of ChannelInfo"
    # Connections refer to their channel by this name.
    return None if channel.info.name == name else f"has the name '{channel.info.name}' in its info"


CHANNEL = Group("channel", Channel, fault_of=_channel_fault)
CHAT_MODEL = Group("chat_model", ChatModel, fault_of=_chat_model_fault)
TOOL = Group("tool", Tool, fault_of=_tool_fault)
TURN_OBSERVER = Group("turn_observer", TurnObserver)
RATE_LIMITER = Group("rate_limiter", RateLimiter)
SUPERVISOR = Group("supervisor", Supervisor)

_ONE_STORE = ("instance_repo", "skill_files", "conversation_store", "user_repo", "audit_log", "channel_connections")
"""The settings of the stores that a backup contains."""

CONVERSATION_GROUPS: tuple[Group[Any], ...] = tuple(
    Group(name, port, setting="conversation_store")
    for name, port in (
        ("conversation_repo", ConversationRepo),
        ("conversation_maintenance", ConversationMaintenance),
        ("lanes", Lanes),
        ("inbox", Inbox),
        ("outbox", Outbox),
    )
)
"""The groups that one setting selects: history, events and deliveries are stored in one transaction."""

SINGLE_GROUPS: tuple[Group[Any], ...] = (
    Group("instance_repo", InstanceRepo),
    Group("instance_history", InstanceHistory),
    Group("skill_files", SkillFiles),
    Group("key_check", KeyCheck),
    Group("secret_cipher", SecretCipher),
    RATE_LIMITER,
    Group("rate_policy", RatePolicy),
    SUPERVISOR,
    Group("tool_servers", ToolServers),
    Group("image_fetcher", ImageFetcher),
    Group("media_store", MediaStore),
    Group("transcriber", Transcriber),
    Group("document_reader", DocumentReader),
    Group("user_repo", UserRepo),
    Group("session_repo", SessionRepo),
    Group("login_history", LoginHistory),
    Group("audit_log", AuditLog),
    Group("archive", Archive),
    Group("channel_connections", ChannelConnections),
    Group("turn_log", TurnLog),
    Group("password_hasher", PasswordHasher),
    *CONVERSATION_GROUPS,
)
"""The groups with exactly one selected adapter."""

GROUPS: tuple[Group[Any], ...] = (*SINGLE_GROUPS, CHANNEL, CHAT_MODEL, TOOL, TURN_OBSERVER)

BUILT_IN_TOOLS = ("current_time", "calculate", "http_request", "spawn_task")
"""The tools that instances can use without any setting."""


def tool_names_of(settings: Settings) -> tuple[str, ...]:
    """Returns the names of the tools that instances can use."""
    return tuple(dict.fromkeys((*BUILT_IN_TOOLS, *settings.extra_tools)))


def require_one_store(settings: Settings) -> None:
    """Returns if ARCHIVE selects the same adapter as the settings of the stores that it backs up.

    Raises:
        SettingsError: It doesn't, so a backup would be incomplete.
    """
    for name in _ONE_STORE:
        if getattr(settings, name) != settings.archive:
            raise SettingsError(
                f"ARCHIVE is {settings.archive}, but {name.upper()} is {getattr(settings, name)}: "
                "set ARCHIVE to the adapter that backs up the same store"
            )


def essential_groups(settings: Settings) -> frozenset[str]:
    """Returns the groups without whose adapter no turn can run."""
    limits = settings.rate_limit is not None and settings.rate_limit_fail is RateLimitFail.CLOSED
    return frozenset({"instance_repo", "secret_cipher", "supervisor", *(("rate_limiter",) if limits else ())})


def chosen_adapters(settings: Settings) -> set[tuple[str, str]]:
    """Returns the group and the name of each adapter that the settings select."""
    adapters = {(group.name, getattr(settings, group.setting)) for group in SINGLE_GROUPS}
    adapters |= {(CHANNEL.name, name) for name in settings.channels}
    adapters |= {(CHAT_MODEL.name, name) for name in settings.chat_models}
    adapters |= {(TOOL.name, name) for name in tool_names_of(settings)}
    adapters |= {(TURN_OBSERVER.name, name) for name in settings.turn_observer_names}
    return adapters
