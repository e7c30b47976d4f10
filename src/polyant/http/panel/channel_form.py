"""The form of a channel: its fields, their values, and the connection that it describes."""

from collections.abc import Mapping

from polyant.domain.channel_info import ChannelInfo
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    Delivery,
)
from polyant.domain.use_cases.connect_channel import NewConnection
from polyant.http.panel.forms import SECRET_PREFIX, Form

OPTION_PREFIX = "option."
ACCESS, USERS, BURST, SENDS, DELIVERY = "access", "users", "burst", "ambiguous_sends", "delivery"

LABELS: Mapping[str, str] = {
    ACCESS: "Who may talk",
    USERS: "Listed users",
    BURST: "Messages in quick succession",
    SENDS: "Doubtful messages",
    DELIVERY: "Delivery",
}
ACCESS_TEXTS: Mapping[str, str] = {
    ChannelAccess.PAIRING: "People with an approved code",
    ChannelAccess.ALLOW_LIST: "Listed users only",
    ChannelAccess.WORKSPACE: "Members of the workspace",
    ChannelAccess.EVERYBODY: "Everybody, strangers included",
}
BURST_TEXTS: Mapping[str, str] = {
    BurstPolicy.COALESCE: "Answer them together",
    BurstPolicy.ENQUEUE: "Answer each, in order",
    BurstPolicy.INTERRUPT: "Start the answer again",
}
SENDS_TEXTS: Mapping[str, str] = {
    AmbiguousSends.RESEND: "Send again, maybe twice",
    AmbiguousSends.HOLD: "Don’t send again, maybe never",
}
DELIVERY_TEXTS: Mapping[str, str] = {
    Delivery.WEBHOOK: "Webhook: the platform calls this server",
    Delivery.PULL: "Pull: this server fetches messages",
}
PROBLEM_TEXTS: Mapping[str, str] = {
    ProblemKind.UNUSABLE: "Not usable",
    ProblemKind.WEBHOOK_REFUSED: "Webhook refused",
    ProblemKind.PULL_REFUSED: "Credentials refused when fetching messages",
    ProblemKind.SENDS_REFUSED: "Credentials refused when sending",
    ProblemKind.POLLED_ELSEWHERE: "Polled by another program",
    ProblemKind.UNREACHABLE: "Platform not reachable",
}


def labels_of(info: ChannelInfo) -> dict[str, str]:
    """Returns the labels of all fields, by field."""
    secrets = {SECRET_PREFIX + each.name: each.label for each in info.credentials}
    return {**secrets, **{OPTION_PREFIX + each.name: each.label for each in info.options}, **LABELS}


def values_of(info: ChannelInfo, connection: ChannelConnection | None) -> dict[str, str]:
    """Returns the stored values of the fields; the defaults if there is no connection."""
    options = {} if connection is None else connection.options
    shown = {OPTION_PREFIX + each.name: options.get(each.name, "") for each in info.options}
    if connection is None:
        return {
            **shown,
            ACCESS: info.access,
            USERS: "",
            BURST: BurstPolicy.COALESCE,
            SENDS: AmbiguousSends.RESEND,
            DELIVERY: "",
        }
    return {
        **shown,
        ACCESS: connection.access,
        USERS: "\n".join(sorted(connection.users)),
        BURST: connection.burst,
        SENDS: connection.ambiguous_sends,
        DELIVERY: connection.delivery,
    }


def new_connection(form: Form, info: ChannelInfo) -> NewConnection | None:
    """Returns the connection that the form describes, or None after recording its errors."""
    access = _choice(form, ACCESS, ACCESS_TEXTS)
    burst = _choice(form, BURST, BURST_TEXTS)
    sends = _choice(form, SENDS, SENDS_TEXTS)
    delivery = _choice(form, DELIVERY, DELIVERY_TEXTS) if form.text(DELIVERY) else None
    if form.errors:
        return None
    credentials = {each.name: form.text(SECRET_PREFIX + each.name) for each in info.credentials if not each.generated}
    return NewConnection(
        channel=ChannelName(info.name),
        credentials={name: value for name, value in credentials.items() if value},
        options={each.name: form.text(name) for each in info.options if (name := OPTION_PREFIX + each.name) in form},
        delivery=None if delivery is None else Delivery(delivery),
        access=ChannelAccess(access),
        users=frozenset(form.text(USERS).split()),
        burst=BurstPolicy(burst),
        ambiguous_sends=AmbiguousSends(sends),
    )


def _choice(form: Form, field: str, choices: Mapping[str, str]) -> str:
    value = form.text(field)
    if value not in choices:
        form.errors[field] = "Choose one of the list"
    return value
