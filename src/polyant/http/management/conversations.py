"""/api/instances/{slug}/conversations: list, read, export and delete stored conversations."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from polyant.domain.conversations import parse_conversation_id
from polyant.domain.errors import InvalidInputError
from polyant.domain.transcripts import ConversationSummary, TranscriptMessage, WholeTranscript
from polyant.domain.use_cases.delete_conversations import DeleteConversations
from polyant.domain.use_cases.list_conversations import ConversationQuery, ListConversations
from polyant.domain.use_cases.read_conversation import ReadConversation
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.requests import ApiRequest
from polyant.http.management.streamed_json import StreamedJson
from polyant.http.management.wire import Page, Paging, ResponseBody, Search, Timestamp, slug_in, time_in

_TIME_SCHEMA = {"format": "date-time"}
_MAX_FILTER_CHARACTERS = 512

_EMPTY_END = b"[]}"

Channel = Annotated[
    str | None,
    QueryParameter(
        name="channel", max_length=_MAX_FILTER_CHARACTERS, description="`api`, or the name of a chat platform"
    ),
]
User = Annotated[
    str | None,
    QueryParameter(
        name="user",
        max_length=_MAX_FILTER_CHARACTERS,
        description="The user's id in the calling application or on the platform; requires `channel`",
    ),
]


class ConversationOut(ResponseBody, frozen=True, kw_only=True):
    """The metadata of a conversation."""

    id: Annotated[str, Meta(examples=["5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f"])]
    channel: Annotated[str, Meta(description="`api`, or the name of a chat platform", examples=["api"])]
    user: Annotated[str | None, Meta(description="The user's id or name; null without one", examples=["ann"])]
    client_managed: Annotated[bool, Meta(description="Whether the client sends the history itself")]
    created_at: Timestamp
    updated_at: Annotated[Timestamp, Meta(description="Time of the newest message")]
    messages: Annotated[int, Meta(description="Number of stored messages")]
    unanswered: Annotated[int, Meta(description="Number of messages that no turn has answered")]


class ConversationList(Page, frozen=True):
    """A page of conversations, the latest updated first."""

    conversations: tuple[ConversationOut, ...]


class MediaOut(ResponseBody, frozen=True, kw_only=True):
    """An image, a recording or a document of a message."""

    address: Annotated[str, Meta(description="The last part of the path under which the content can be read")]
    kind: Annotated[str, Meta(description="`image`, `audio` or `document`", examples=["image"])]
    media_type: Annotated[str, Meta(examples=["image/png"])]
    size: Annotated[int, Meta(description="In bytes")]
    name: Annotated[str, Meta(description="The file name that the sender gave; empty without one")]


class MessageOut(ResponseBody, frozen=True, kw_only=True):
    """A message of a conversation."""

    id: str
    role: Annotated[str, Meta(description="`user` or `assistant`", examples=["user"])]
    text: Annotated[str | None, Meta(description="The text; null if you may not read it, or if it can't be decrypted")]
    at: Timestamp
    turn: Annotated[str, Meta(description="Id of the turn that answers the message or produced it")]
    tokens: Annotated[int, Meta(description="Estimated number of tokens")]
    answered: bool
    tools: Annotated[tuple[str, ...], Meta(description="Names of the tools that the turn called")]
    media: Annotated[tuple[MediaOut, ...], Meta(description="Images, recordings and documents; empty without the text")]


class ConversationResponse(ConversationOut, frozen=True, kw_only=True):
    """A conversation with its messages."""

    readable: Annotated[bool, Meta(description="Whether you may read the texts")]
    transcript: Annotated[tuple[MessageOut, ...], Meta(description="The messages, oldest first")]


_CONVERSATION = ResponseSpec(
    ConversationResponse, description="The conversation with its messages", generate_examples=False
)


class DeletedConversations(ResponseBody, frozen=True, kw_only=True):
    """The confirmation of a deletion."""

    deleted: bool = True
    conversations: Annotated[int, Meta(description="Number of deleted conversations")]
    messages: Annotated[int, Meta(description="Number of deleted messages")]


class ConversationsController(Controller):
    """The stored conversations of one instance."""

    path = "/instances/{slug:str}/conversations"
    tags = ("Conversations",)

    @get(summary="List conversations", responses=read_errors(404))
    async def list_all(
        self,
        *,
        slug: FromPath[str],
        list_conversations: NamedDependency[ListConversations],
        paging: NamedDependency[Paging],
        channel: Channel = None,
        user: User = None,
        since: Annotated[
            str | None,
            QueryParameter(
                name="since",
                description="Earliest time of the newest message, inclusive; ISO 8601",
                schema_extra=_TIME_SCHEMA,
            ),
        ] = None,
        until: Annotated[
            str | None,
            QueryParameter(
                name="until",
                description="Latest time of the newest message, exclusive; ISO 8601",
                schema_extra=_TIME_SCHEMA,
            ),
        ] = None,
        search: Search = "",
    ) -> ConversationList:
        """Returns the metadata of conversations, the latest updated first.

        `search` finds the beginning of a conversation's id, the id of a turn, or the name of a called tool. Texts are
        encrypted, so they can't be searched.
        """
        query = ConversationQuery(
            channel=channel,
            user=user,
            since=time_in(since, "since"),
            until=time_in(until, "until"),
            search=search,
            limit=paging.limit,
            offset=paging.offset,
        )
        page = await list_conversations(slug_in(slug), query)
        return ConversationList(tuple(map(_out, page.conversations)), **paging.of(page.total))

    @get(
        "/{conversation:str}",
        summary="Get a conversation",
        responses={200: _CONVERSATION, **read_errors(404)},
    )
    async def show(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        read_conversation: NamedDependency[ReadConversation],
    ) -> StreamedJson:
        """Returns a conversation with its messages.

        Superadmins read the texts, and other users if the instance's `transcripts` is `users`. Otherwise, texts are
        null. Reading texts is recorded in the audit log.
        """
        found = await read_conversation.whole(
            slug_in(slug),
            parse_conversation_id(conversation),
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
        )
        return StreamedJson(_pieces_of(found))

    @get(
        "/{conversation:str}/export",
        summary="Export a conversation",
        responses={200: _CONVERSATION, **read_errors(403, 404)},
    )
    async def export(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        read_conversation: NamedDependency[ReadConversation],
    ) -> StreamedJson:
        """Returns a conversation with its texts as a file. It is recorded in the audit log."""
        found = await read_conversation.export(
            slug_in(slug),
            parse_conversation_id(conversation),
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
        )
        disposition = f'attachment; filename="conversation-{found.summary.id}.json"'
        return StreamedJson(_pieces_of(found), {"content-disposition": disposition})

    @delete("/{conversation:str}", summary="Delete a conversation", status_code=200, responses=write_errors(404))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        delete_conversations: NamedDependency[DeleteConversations],
    ) -> DeletedConversations:
        """Deletes a conversation with its messages and its data key. Earlier backups still contain them."""
        removed = await delete_conversations.one(
            slug_in(slug), parse_conversation_id(conversation), by=request.auth.actor
        )
        return DeletedConversations(**msgspec.structs.asdict(removed))

    @delete(summary="Delete all conversations, or those of a user", status_code=200, responses=write_errors(404))
    async def remove_all(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        delete_conversations: NamedDependency[DeleteConversations],
        channel: Channel = None,
        user: User = None,
    ) -> DeletedConversations:
        """Deletes all that is stored of a user of a channel; without `channel` and `user`, all of the instance.

        Received events and deliveries that belong to the conversations are deleted with them.
        """
        name, by = slug_in(slug), request.auth.actor
        if (channel is None) is not (user is None):
            raise InvalidInputError("channel and user require each other")
        if channel is None or user is None:
            removed = await delete_conversations.all(name, by=by)
        else:
            removed = await delete_conversations.of_user(name, channel, user, by=by)
        return DeletedConversations(**msgspec.structs.asdict(removed))


def _out(conversation: ConversationSummary) -> ConversationOut:
    return ConversationOut(**{name: getattr(conversation, name) for name in ConversationOut.__struct_fields__})


def _message_out(message: TranscriptMessage) -> MessageOut:
    fields = {name: getattr(message, name) for name in MessageOut.__struct_fields__ if name != "media"}
    return MessageOut(**fields, media=tuple(MediaOut(**msgspec.structs.asdict(each)) for each in message.media))


async def _pieces_of(found: WholeTranscript) -> AsyncIterator[bytes]:
    """Yields the pieces of a ConversationResponse as JSON."""
    summary = msgspec.structs.asdict(_out(found.summary))
    start = msgspec.json.encode(ConversationResponse(**summary, readable=found.readable, transcript=()))
    head, end = start[: -len(_EMPTY_END)], start[-len(_EMPTY_END) + 1 :]
    before = head + b"["
    async for piece in found.pieces():
        yield before + b",".join([msgspec.json.encode(_message_out(message)) for message in piece])
        before = b","
    yield end if before == b"," else before + end
