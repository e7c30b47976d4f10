"""/instances/{slug}/conversations: the stored conversations of an instance."""

import contextlib
from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.conversations import ConversationId, parse_conversation_id
from polyant.domain.digits import parse_digits
from polyant.domain.errors import InvalidInputError, UnknownConversationError
from polyant.domain.transcripts import SummaryPage, may_read
from polyant.domain.use_cases.delete_conversations import DeleteConversations
from polyant.domain.use_cases.list_conversations import ConversationQuery, ListConversations
from polyant.domain.use_cases.read_conversation import ReadConversation
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.forms import read_form
from polyant.http.panel.instance_frame import instance_in, instance_page, instance_path
from polyant.http.panel.pages import PanelRequest, see_other
from polyant.http.panel.paging import paging_of

_FILTERS = ("channel", "user", "search")
_MAX_FILTER_CHARACTERS = 320
_FIRST_MESSAGES = 50
_MAX_MESSAGES = 800
_MORE = 4
"""How many times as many messages the next page shows."""
_MAX_TEXT_CHARACTERS = 10_000


class ConversationPageController(Controller):
    """The conversations of one instance."""

    path = "/instances/{slug:str}/conversations"
    include_in_schema = False

    @get()
    async def show(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        list_conversations: NamedDependency[ListConversations],
    ) -> Response[Any]:
        """Returns the conversations that match the filters."""
        instance = await instance_in(slug, show_instance)
        filters = {name: request.query_params.get(name, "").strip()[:_MAX_FILTER_CHARACTERS] for name in _FILTERS}
        paging = paging_of(request, instance_path(instance.slug, "conversations"), filters)
        query = ConversationQuery(
            channel=filters["channel"] or None,
            user=filters["user"] or None,
            search=filters["search"],
            limit=paging.rows,
            offset=paging.offset,
        )
        notice = ""
        try:
            found = await list_conversations(instance.slug, query)
        except InvalidInputError:
            found, notice = SummaryPage((), 0), "Choose the channel too: the id of a user belongs to one."
        return instance_page(
            request,
            "conversations.html",
            instance,
            rows=found.conversations,
            filters=filters,
            notice=notice,
            readable=may_read(instance, unrestricted=request.auth.unrestricted),
            **paging.context(len(found.conversations), found.total),
        )

    @get("/{conversation:str}")
    async def show_one(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        read_conversation: NamedDependency[ReadConversation],
    ) -> Response[Any]:
        """Returns the newest messages of one conversation, with their texts if the user may read them."""
        instance, newest = await instance_in(slug, show_instance), _newest_in(request)
        found = await read_conversation.newest(
            instance.slug,
            parse_conversation_id(conversation),
            by=request.auth.actor,
            count=newest,
            unrestricted=request.auth.unrestricted,
        )
        is_whole_page = len(found.transcript) >= min(newest, found.messages)
        return instance_page(
            request,
            "conversation.html",
            instance,
            found=found,
            earlier=max(found.messages - len(found.transcript), 0),
            more=min(newest * _MORE, _MAX_MESSAGES) if newest < _MAX_MESSAGES and is_whole_page else 0,
            max_characters=_MAX_TEXT_CHARACTERS,
        )

    @get("/{conversation:str}/delete")
    async def confirm_deletion(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
    ) -> Response[Any]:
        """Asks whether to delete a conversation."""
        instance = await instance_in(slug, show_instance)
        return instance_page(request, "conversation_delete.html", instance, id=parse_conversation_id(conversation))

    @post("/{conversation:str}/delete")
    async def remove(
        self,
        *,
        request: PanelRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        show_instance: NamedDependency[ShowInstance],
        delete_conversations: NamedDependency[DeleteConversations],
    ) -> Response[Any]:
        """Deletes a conversation; one that is gone already is no error."""
        instance = await instance_in(slug, show_instance)
        known: ConversationId = parse_conversation_id(conversation)
        form = await read_form(request)
        if form.is_draft:
            return instance_page(request, "conversation_delete.html", instance, id=known, done_code=form.draft_code)
        with contextlib.suppress(UnknownConversationError):
            await delete_conversations.one(instance.slug, known, by=request.auth.actor)
        return see_other(f"{instance_path(instance.slug, 'conversations')}?done=conversation-deleted")


def _newest_in(request: PanelRequest) -> int:
    """Returns the number of messages to show, however many there are: a page stays bounded."""
    wanted = parse_digits(request.query_params.get("newest", ""), at_most=len(str(_MAX_MESSAGES)))
    return min(max(wanted or 0, _FIRST_MESSAGES), _MAX_MESSAGES)
