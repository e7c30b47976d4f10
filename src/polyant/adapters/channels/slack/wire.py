"""The shapes of Slack's events and responses: https://docs.slack.dev/reference."""

import msgspec


class Authorization(msgspec.Struct, frozen=True):
    """An installation of the app that may see the event."""

    team_id: str | None = None
    user_id: str | None = None
    is_bot: bool | None = None


class Callback(msgspec.Struct, frozen=True):
    """The outer part of an event; Socket Mode calls it the payload."""

    type: str
    challenge: str | None = None
    team_id: str | None = None
    enterprise_id: str | None = None
    authorizations: tuple[Authorization, ...] | None = None
    is_ext_shared_channel: bool | None = None
    event: msgspec.Raw = msgspec.Raw(b"null")


class EventHead(msgspec.Struct, frozen=True):
    """The part that all events have."""

    type: str


class File(msgspec.Struct, frozen=True):
    """A file of a message, or the response's file of files.info."""

    id: str
    name: str | None = None
    mimetype: str | None = None
    subtype: str | None = None
    size: int | None = None
    mode: str | None = None
    is_external: bool | None = None
    url_private: str | None = None
    url_private_download: str | None = None


class Attachment(msgspec.Struct, frozen=True):
    """An attachment; those that matter here are messages that the user shares or links to."""

    text: str | None = None
    author_name: str | None = None
    author_id: str | None = None
    is_share: bool | None = None
    is_msg_unfurl: bool | None = None


class UserProfile(msgspec.Struct, frozen=True):
    """The author's profile, which Slack sends for users of other workspaces only."""

    display_name: str | None = None
    real_name: str | None = None


class MessageEvent(msgspec.Struct, frozen=True):
    """A `message` or `app_mention` event."""

    type: str
    channel: str
    ts: str
    subtype: str | None = None
    channel_type: str | None = None
    user: str | None = None
    bot_id: str | None = None
    hidden: bool | None = None
    text: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    user_profile: UserProfile | None = None
    files: tuple[File, ...] | None = None
    attachments: tuple[Attachment, ...] | None = None


class Envelope(msgspec.Struct, frozen=True):
    """A message of Socket Mode."""

    type: str
    envelope_id: str | None = None
    reason: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Reply(msgspec.Struct, frozen=True):
    """The fields of responses of the Web API that are used."""

    ok: bool = False
    error: str = ""
    ts: str = ""
    url: str = ""
    team: str = ""
    team_id: str = ""
    user: str = ""
    user_id: str = ""
    bot_id: str = ""
    file: File | None = None
