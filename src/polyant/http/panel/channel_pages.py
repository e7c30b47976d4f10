"""The content of the pages of channels."""

from typing import Any

import msgspec
from litestar import Response

from polyant.domain.channel_info import AccountState, ChannelInfo
from polyant.domain.channel_registry import ChannelRegistry, ChannelUnavailableError, UnknownChannelError
from polyant.domain.channels import (
    ChannelAccess,
    ChannelConnection,
    ChannelName,
    UnknownConnectionError,
    parse_channel_name,
)
from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import Instance
from polyant.domain.lane_work import Delivery, StoredEvent
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel import channel_form
from polyant.http.panel.forms import Form, FormConflictError
from polyant.http.panel.instance_frame import instance_in, instance_page
from polyant.http.panel.pages import PanelRequest
from polyant.http.panel.shown_forms import form_context

_RECENT = 10

CODE = "code"
"""The field of a pairing code."""


class ShownChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel on its page."""

    info: ChannelInfo
    connection: ChannelConnection | None
    last: StoredEvent | None = None
    """The latest event."""
    events: tuple[StoredEvent, ...] = ()
    letters: tuple[StoredEvent, ...] = ()
    doubtful: tuple[Delivery, ...] = ()
    """The latest sends with an ambiguous response of the platform."""
    webhook: str = ""
    fault: str = ""
    """Why this server can't use the channel; empty if it can."""


class ChannelPages:
    """Reads what the pages of channels show.

    Args:
        show_instance: Finds the instance.
        channels: Finds the adapters.
        list_channels: Finds the connections.
        letters: Finds the events.
        public_url: The server's https origin; empty if unknown.
    """

    def __init__(
        self,
        *,
        show_instance: ShowInstance,
        channels: ChannelRegistry,
        list_channels: ListChannels,
        letters: ListDeadLetters,
        public_url: PublicUrl,
    ) -> None:
        self._show_instance = show_instance
        self._channels = channels
        self._list_channels = list_channels
        self._letters = letters
        self._public_url = public_url

    async def instance(self, slug: str) -> Instance:
        """Returns the instance in a path."""
        return await instance_in(slug, self._show_instance)

    async def info(self, name: str) -> ChannelInfo:
        """Returns the channel in a path.

        Raises:
            NotFoundError: There is none.
        """
        try:
            return (await self._channels.get(parse_channel_name(name))).info
        except InvalidInputError:
            raise NotFoundError(f"There is no channel called {name}.") from None

    async def described(self, name: str) -> ChannelInfo:
        """Returns the channel in a path; only its name if its adapter isn't enabled or can't be loaded.

        Raises:
            NotFoundError: It can't be the name of a channel.
        """
        try:
            return await self.info(name)
        except (UnknownChannelError, ChannelUnavailableError):
            return _undescribed(name)

    async def connection(self, instance: Instance, info: ChannelInfo) -> ChannelConnection | None:
        """Returns the instance's connection, or None."""
        try:
            return await self._list_channels.one(instance.slug, ChannelName(info.name))
        except UnknownConnectionError:
            return None

    async def all(self, instance: Instance) -> list[ShownChannel]:
        """Returns all channels, each with the latest event, and those that the instance alone is connected to."""
        connected = [each.channel for each in await self._list_channels(instance.slug)]
        names = dict.fromkeys((*self._channels.names, *connected))
        return [await self._summary(instance, name) for name in names]

    async def _summary(self, instance: Instance, name: str) -> ShownChannel:
        try:
            return await self.one(instance, await self.info(name), limit=1)
        except (UnknownChannelError, ChannelUnavailableError) as error:
            fault = error.explanation
        shown = await self.one(instance, _undescribed(name), limit=1)
        return msgspec.structs.replace(shown, fault=fault)

    async def one(self, instance: Instance, info: ChannelInfo, *, limit: int = _RECENT) -> ShownChannel:
        """Returns a channel with its latest events and dead letters."""
        connection = await self.connection(instance, info)
        if connection is None:
            return ShownChannel(info=info, connection=None)
        events = (await self._letters.events(instance.slug, connection.channel, limit=limit)).events
        letters = (await self._letters(instance.slug, connection.channel, limit=limit)).events
        doubtful = (await self._letters.doubtful_sends(instance.slug, connection.channel, limit=limit)).deliveries
        return ShownChannel(
            info=info,
            connection=connection,
            doubtful=doubtful,
            last=events[0] if events else None,
            events=events,
            letters=letters,
            webhook=f"{self._public_url}{connection.path}"
            if connection.has_account and connection.delivery == "webhook"
            else "",
        )

    async def page(
        self,
        request: PanelRequest,
        instance: Instance,
        info: ChannelInfo,
        form: Form | None = None,
        *,
        conflict: FormConflictError | None = None,
        check: AccountState | None = None,
    ) -> Response[Any]:
        """Returns the page of one channel."""
        shown = await self.one(instance, info)
        stored = channel_form.values_of(info, shown.connection)
        values = stored if form is None else form.shown(stored)
        code = "" if form is None else form.raw(CODE)
        labels = channel_form.labels_of(info)
        return instance_page(
            request,
            "channel.html",
            instance,
            **form_context(form, stored, {**values, CODE: code}, labels, conflict=conflict),
            channel=shown,
            check=check,
            texts=channel_form,
            public_url=self._public_url,
            is_set=lambda credential: f"{info.name}_{credential}" in instance.secrets,
        )

    async def page_beside(
        self, request: PanelRequest, instance: Instance, info: ChannelInfo, form: Form
    ) -> Response[Any]:
        """Returns the page of one channel with its stored values, after another form on it that wasn't carried out."""
        stored = channel_form.values_of(info, await self.connection(instance, info))
        shown = Form([*stored.items(), *form.fields])
        shown.errors = form.errors
        return await self.page(request, instance, info, shown)


def _undescribed(name: str) -> ChannelInfo:
    """Returns the description of a channel of which only the name is known."""
    access = ChannelAccess.ALLOW_LIST
    return ChannelInfo(
        name=name, label=name, credentials=(), access=access, accesses=(access,), deliveries=(), max_units=0
    )
