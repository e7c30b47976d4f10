"""Repositories of conversations that each list them wrongly."""

from msgspec.structs import replace

from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.domain.conversations import Conversation, ConversationFilter, ConversationPage
from polyant.testing.conversation_listing import ConversationListingContract
from support.conversation_stores import WithRepo


class MemoryContract(WithRepo, ConversationListingContract):
    """The tests of the kit, of a repository in memory."""


class SearchIsPattern(MemoryConversationRepo):
    """Searches with LIKE."""

    def _contains(self, conversation: Conversation, text: str) -> bool:
        tools = {name for each in self._tables.messages[conversation.id] for name in each.tools}
        is_like = any(len(text) == len(name) and text.rstrip("_") == name[: len(text.rstrip("_"))] for name in tools)
        return text == "%" or is_like or super()._contains(conversation, text)


class TestSearchIsPattern(MemoryContract):
    repo = SearchIsPattern


class SearchIgnoresCase(MemoryConversationRepo):
    """Searches with ILIKE."""

    def _contains(self, conversation: Conversation, text: str) -> bool:
        texts = {text, text.lower(), text.upper()}
        return any(super(SearchIgnoresCase, self)._contains(conversation, each) for each in texts)


class TestSearchIgnoresCase(MemoryContract):
    repo = SearchIgnoresCase


class SearchesJson(MemoryConversationRepo):
    """Searches the text of the column that has the names of tools as JSON."""

    def _contains(self, conversation: Conversation, text: str) -> bool:
        columns = ['["' + '","'.join(each.tools) + '"]' for each in self._tables.messages[conversation.id]]
        return super()._contains(conversation, text) or any(f'"{text}"' in column for column in columns)


class TestJsonSearched(MemoryContract):
    repo = SearchesJson


class SearchesEverywhere(MemoryConversationRepo):
    """Forgets the brackets: `instance = … AND starts OR tool = …`."""

    def _matches(self, conversation: Conversation, query: ConversationFilter) -> bool:
        called = {name for each in self._tables.messages[conversation.id] for name in each.tools}
        return query.text in called or super()._matches(conversation, query)


class TestOtherInstancesFound(MemoryContract):
    repo = SearchesEverywhere


class IgnoresTimeZones(MemoryConversationRepo):
    """Compares the times on the clock."""

    def _matches(self, conversation: Conversation, query: ConversationFilter) -> bool:
        since = None if query.since is None else query.since.replace(tzinfo=conversation.updated_at.tzinfo)
        until = None if query.until is None else query.until.replace(tzinfo=conversation.updated_at.tzinfo)
        return super()._matches(conversation, replace(query, since=since, until=until))


class TestTimeZonesIgnored(MemoryContract):
    repo = IgnoresTimeZones


class WholeSeconds(MemoryConversationRepo):
    """Compares whole seconds."""

    def _matches(self, conversation: Conversation, query: ConversationFilter) -> bool:
        since = None if query.since is None else query.since.replace(microsecond=0)
        return super()._matches(conversation, replace(query, since=since))


class TestConditionTruncated(MemoryContract):
    repo = WholeSeconds


class OffsetsArePages(MemoryConversationRepo):
    """Multiplies the offset by the limit."""

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        return await super().list(query, limit=limit, offset=offset * limit)


class TestOffsetsArePages(MemoryContract):
    repo = OffsetsArePages


class PagesRepeat(MemoryConversationRepo):
    """Orders equal times in the order of the last change, so that pages repeat and skip rows."""

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        page = await super().list(query, limit=10_000)
        ordered = sorted(page.conversations[:: 1 if offset else -1], key=lambda each: each.updated_at, reverse=True)
        return ConversationPage(tuple(ordered[offset : offset + limit]), page.total)


class TestPagesRepeatRows(MemoryContract):
    repo = PagesRepeat


class ListsStaleCounts(MemoryConversationRepo):
    """Lists from an index that doesn't know the messages."""

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        page = await super().list(query, limit=limit, offset=offset)
        return ConversationPage(tuple(replace(each, messages=0) for each in page.conversations), page.total)


class TestStaleCountsListed(MemoryContract):
    repo = ListsStaleCounts
