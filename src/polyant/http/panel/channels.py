"""/instances/{slug}/channels: connect, check, change and disconnect chat platforms; approve users; replay events."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.channel_info import ChannelInfo
from polyant.domain.channels import ChannelConnection, ChannelName
from polyant.domain.digits import parse_digits
from polyant.domain.errors import (
    ConflictError,
    InvalidInputError,
    PreconditionFailedError,
    UnavailableError,
    UnknownEventError,
)
from polyant.domain.instances import Instance
from polyant.domain.lane_work import MAX_EVENT_DIGITS
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel, Connected
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.update_channel import UpdateChannel
from polyant.http.panel import channel_form
from polyant.http.panel.channel_pages import CODE, ChannelPages
from polyant.http.panel.forms import FormConflictError, read_form, save_form
from polyant.http.panel.instance_frame import instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other


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
        return instance_page(
            request, "channels.html", instance, channels=await channel_pages.all(instance), texts=channel_form
        )

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
        form = await read_form(request)
        if form.is_draft:
            return await channel_pages.page_beside(request, instance, info, form)
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
            return await channel_pages.page_beside(request, instance, info, form)
        try:
            await update_channel.approve(instance.slug, ChannelName(info.name), form.text(CODE), by=request.auth.actor)
        except InvalidInputError as error:
            form.errors[CODE] = error.message
            return await channel_pages.page_beside(request, instance, info, form)
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
            return await channel_pages.page_beside(request, instance, info, form)
        try:
            await list_dead_letters.replay(
                parse_digits(form.text("event"), at_most=MAX_EVENT_DIGITS) or 0,
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
        instance, info = await channel_pages.instance(slug), await channel_pages.described(channel)
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
        instance, info = await channel_pages.instance(slug), await channel_pages.described(channel)
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
        problem = None
        if connection is not None:
            problem = await disconnect_channel(instance.slug, connection.channel, by=request.auth.actor)
        done = "channel-gone" if problem is None else "channel-untold"
        return see_other(f"{instance_path(instance.slug, 'channels')}?done={done}")


def _path(instance: Instance, info: ChannelInfo) -> str:
    return f"{instance_path(instance.slug, 'channels')}/{info.name}"
