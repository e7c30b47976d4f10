"""/instances/{slug}/channels: connect, check, change and disconnect chat platforms; approve users; replay events."""

from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.channel_events import AccountState, ChannelInfo
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelConnection, ChannelName, UnknownConnectionError, parse_channel_name
from polyant.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnknownEventError,
)
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import Instance
from polyant.domain.lane_work import StoredEvent
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel, Connected
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_channel import UpdateChannel
from polyant.http.panel import channel_form
from polyant.http.panel.forms import Form, FormConflictError, digest_of, read_form, save_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other

_RECENT = 10
_CODE = "code"


class ShownChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel on its page."""

    info: ChannelInfo
    connection: ChannelConnection | None
    last: StoredEvent | None = None
    """The latest event."""
    events: tuple[StoredEvent, ...] = ()
    letters: tuple[StoredEvent, ...] = ()
    webhook: str = ""


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

    async def connection(self, instance: Instance, info: ChannelInfo) -> ChannelConnection | None:
        """Returns the instance's connection, or None."""
        try:
            return await self._list_channels.one(instance.slug, ChannelName(info.name))
        except UnknownConnectionError:
            return None

    async def all(self, instance: Instance) -> list[ShownChannel]:
        """Returns all channels, each with the latest event."""
        return [await self.one(instance, await self.info(name), limit=1) for name in self._channels.names]

    async def one(self, instance: Instance, info: ChannelInfo, *, limit: int = _RECENT) -> ShownChannel:
        """Returns a channel with its latest events and dead letters."""
        connection = await self.connection(instance, info)
        if connection is None:
            return ShownChannel(info=info, connection=None)
        events = (await self._letters.events(instance.slug, connection.channel, limit=limit)).events
        letters = (await self._letters(instance.slug, connection.channel, limit=limit)).events
        return ShownChannel(
            info=info,
            connection=connection,
            last=events[0] if events else None,
            events=events,
            letters=letters,
            webhook=f"{self._public_url}{connection.path}" if connection.delivery == "webhook" else "",
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
        labels = channel_form.labels_of(info)
        theirs = None
        if conflict is not None:
            differing = [name for name, value in conflict.stored.items() if value != values.get(name, "").strip()]
            theirs = {labels[name]: conflict.stored[name] for name in differing}
        errors = {} if form is None else form.errors
        return instance_page(
            request,
            "channel.html",
            instance,
            status=409 if conflict is not None else 400 if errors else 200,
            done_code="" if form is None else form.draft_code,
            channel=shown,
            values=values,
            errors=errors,
            labels=labels,
            seen=digest_of(stored),
            theirs=theirs,
            check=check,
            texts=channel_form,
            public_url=self._public_url,
            is_set=lambda credential: f"{info.name}_{credential}" in instance.secrets,
        )


class ChannelsPageController(Controller):
    """The channels of one instance."""

    path = "/instances/{slug:str}/channels"
    include_in_schema = False

    @get()
    async def show_all(
        self, *, request: PanelRequest, slug: FromPath[str], channel_pages: NamedDependency[ChannelPages]
    ) -> Response[Any]:
        """Returns the list of channels, connected or not."""
        instance = await channel_pages.instance(slug)
        return instance_page(request, "channels.html", instance, channels=await channel_pages.all(instance))

    @get("/{channel:str}")
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
    ) -> Response[Any]:
        """Returns the form of a channel, its events and its dead letters."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        return await channel_pages.page(request, instance, info)

    @post("/{channel:str}")
    async def save(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
        connect_channel: NamedDependency[ConnectChannel],
    ) -> Response[Any]:
        """Connects the channel, or changes its connection; the platform checks the credentials."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        form = await read_form(request)
        new = None if form.is_draft else channel_form.new_connection(form, info)
        if new is None:
            return await channel_pages.page(request, instance, info, form)

        async def connect(stored: ChannelConnection | None) -> Connected:
            versions = None if stored is None else [stored.version]
            return await connect_channel(instance.slug, new, by=request.auth.actor, expected_versions=versions)

        try:
            await save_form(
                form,
                read=lambda: channel_pages.connection(instance, info),
                values_of=lambda stored: channel_form.values_of(info, stored),
                save=connect,
            )
        except FormConflictError as conflict:
            return await channel_pages.page(request, instance, info, form, conflict=conflict)
        except PreconditionFailedError:
            raise
        except (InvalidInputError, ConflictError, UnavailableError) as error:
            form.errors[""] = error.explanation
            return await channel_pages.page(request, instance, info, form)
        return see_other(f"{_path(instance, info)}?done=channel")

    @post("/{channel:str}/check", status_code=200)
    async def check(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
        check_channel: NamedDependency[CheckChannel],
    ) -> Response[Any]:
        """Asks the platform about the account, and returns the page with the result."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        if (await read_form(request)).is_draft:
            return await channel_pages.page(request, instance, info)
        state = await check_channel(instance.slug, ChannelName(info.name))
        return await channel_pages.page(request, instance, info, check=state)

    @post("/{channel:str}/approve")
    async def approve(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
        update_channel: NamedDependency[UpdateChannel],
    ) -> Response[Any]:
        """Lets the user with a pairing code talk."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        form = await read_form(request)
        if form.is_draft:
            return await channel_pages.page(request, instance, info)
        try:
            await update_channel.approve(instance.slug, ChannelName(info.name), form.text(_CODE), by=request.auth.actor)
        except InvalidInputError as error:
            stored = channel_form.values_of(info, await channel_pages.connection(instance, info))
            wrong = Form(stored.items())
            wrong.errors[_CODE] = error.message
            return await channel_pages.page(request, instance, info, wrong)
        return see_other(f"{_path(instance, info)}?done=channel-user")

    @post("/{channel:str}/replay")
    async def replay(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
        list_dead_letters: NamedDependency[ListDeadLetters],
    ) -> Response[Any]:
        """Lets a dead letter be answered again; one that is gone already is no error."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        form = await read_form(request)
        if form.is_draft:
            return await channel_pages.page(request, instance, info)
        event = form.text("event")
        try:
            await list_dead_letters.replay(
                int(event) if event.isascii() and event.isdecimal() and len(event) < 20 else 0,  # noqa: PLR2004 - 2^63
                by=request.auth.actor,
                slug=instance.slug,
            )
        except UnknownEventError:
            return see_other(f"{_path(instance, info)}#letters")
        return see_other(f"{_path(instance, info)}?done=channel-replay#letters")

    @get(["/{channel:str}/check", "/{channel:str}/approve", "/{channel:str}/replay"], sync_to_thread=False)
    def show_action(self, slug: FromPath[str], channel: FromPath[str]) -> Response[Any]:
        """Redirects to the channel: a result is shown only in the response that makes it."""
        return see_other(f"/instances/{slug}/channels/{channel}")

    @get("/{channel:str}/disconnect")
    async def confirm(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
    ) -> Response[Any]:
        """Asks whether to disconnect."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        connection = await channel_pages.connection(instance, info)
        if connection is None:
            return see_other(_path(instance, info))
        return instance_page(request, "channel_disconnect.html", instance, info=info, connection=connection)

    @post("/{channel:str}/disconnect")
    async def disconnect(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        channel: FromPath[str],
        channel_pages: NamedDependency[ChannelPages],
        disconnect_channel: NamedDependency[DisconnectChannel],
    ) -> Response[Any]:
        """Disconnects the channel; one that is gone already is no error."""
        instance, info = await channel_pages.instance(slug), await channel_pages.info(channel)
        connection = await channel_pages.connection(instance, info)
        form = await read_form(request)
        if form.is_draft and connection is not None:
            return instance_page(
                request,
                "channel_disconnect.html",
                instance,
                info=info,
                connection=connection,
                done_code=form.draft_code,
            )
        if connection is not None:
            await disconnect_channel(instance.slug, connection.channel, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'channels')}?done=channel-gone")


def _path(instance: Instance, info: ChannelInfo) -> str:
    return f"{instance_path(instance.slug, 'channels')}/{info.name}"
