"""The shapes of Meta's webhooks and responses: https://developers.facebook.com/docs/whatsapp/cloud-api."""

import msgspec


class Change(msgspec.Struct, frozen=True):
    """A change of a WhatsApp Business Account; `value` is a `MessagesValue` for the field `messages`."""

    field: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


class Entry(msgspec.Struct, frozen=True):
    """The changes of one account."""

    changes: tuple[Change, ...] = ()


class Notification(msgspec.Struct, frozen=True):
    """The body of a webhook's request."""

    object: str
    entry: tuple[Entry, ...] = ()


class Metadata(msgspec.Struct, frozen=True):
    """The business's phone number that the messages are for."""

    phone_number_id: str


class Profile(msgspec.Struct, frozen=True):
    """A user's profile."""

    name: str | None = None


class Contact(msgspec.Struct, frozen=True):
    """A user; those with a username may have no phone number."""

    profile: Profile = Profile()
    wa_id: str | None = None
    user_id: str | None = None


class MessagesValue(msgspec.Struct, frozen=True):
    """Messages and statuses, each decoded on its own, so that a faulty one doesn't spoil the others."""

    metadata: Metadata
    contacts: tuple[Contact, ...] | None = None
    messages: tuple[msgspec.Raw, ...] | None = None
    statuses: tuple[msgspec.Raw, ...] | None = None


class Text(msgspec.Struct, frozen=True):
    """A text."""

    body: str = ""


class Media(msgspec.Struct, frozen=True):
    """An image, audio file, video, document or sticker."""

    id: str
    mime_type: str | None = None
    caption: str | None = None
    filename: str | None = None
    voice: bool | None = None


class Location(msgspec.Struct, frozen=True):
    """A place."""

    latitude: float | None = None
    longitude: float | None = None
    name: str | None = None
    address: str | None = None


class Name(msgspec.Struct, frozen=True):
    """The name on a contact card."""

    formatted_name: str | None = None


class Phone(msgspec.Struct, frozen=True):
    """A phone number on a contact card."""

    phone: str | None = None


class Card(msgspec.Struct, frozen=True):
    """A contact card."""

    name: Name = Name()
    phones: tuple[Phone, ...] | None = None


class Choice(msgspec.Struct, frozen=True):
    """A button or a row of a list that the user chose."""

    title: str | None = None
    text: str | None = None


class Interactive(msgspec.Struct, frozen=True):
    """A user's choice in an interactive message."""

    button_reply: Choice | None = None
    list_reply: Choice | None = None


class System(msgspec.Struct, frozen=True):
    """A notice about a user."""

    type: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None


class Content(msgspec.Struct, frozen=True):
    """The content of a message, in the field that `type` names."""

    type: str = ""
    text: Text | None = None
    image: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    contacts: tuple[Card, ...] | None = None
    button: Choice | None = None
    interactive: Interactive | None = None
    system: System | None = None


class Edit(msgspec.Struct, frozen=True):
    """The new content of an earlier message."""

    original_message_id: str
    message: Content


class Message(Content, frozen=True, kw_only=True):
    """A message of a user."""

    id: str
    timestamp: str
    sender: str | None = msgspec.field(name="from", default=None)
    from_user_id: str | None = None
    group_id: str | None = None
    edit: Edit | None = None


class StatusError(msgspec.Struct, frozen=True):
    """The reason of a failed delivery."""

    code: int | None = None


class Status(msgspec.Struct, frozen=True):
    """The state of a message that the business sent."""

    id: str
    status: str
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    errors: tuple[StatusError, ...] | None = None


class GraphError(msgspec.Struct, frozen=True):
    """An error of the Graph API."""

    code: int = 0
    message: str = ""


class MessageId(msgspec.Struct, frozen=True):
    """A message that was sent."""

    id: str


class Callbacks(msgspec.Struct, frozen=True):
    """The addresses that get the events of a phone number; the first that is set applies."""

    phone_number: str | None = None
    whatsapp_business_account: str | None = None
    application: str | None = None


class Reply(msgspec.Struct, frozen=True):
    """The fields of responses of the Graph API that are used."""

    error: GraphError | None = None
    messages: tuple[MessageId, ...] = ()
    id: str = ""
    display_phone_number: str = ""
    verified_name: str = ""
    webhook_configuration: Callbacks | None = None
    data: tuple[msgspec.Raw, ...] | None = None
    url: str = ""
    mime_type: str | None = None
    file_size: int | None = None
