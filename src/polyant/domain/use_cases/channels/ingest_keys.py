"""Encrypts what channels receive and send with one data key a day."""

from datetime import date

from polyant.domain.conversations import KeyKind, WrappedKey
from polyant.domain.data_keys import DataAddress
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.token_source import TokenSource

_MAX_KEYS = 8


class IngestKeys:
    """Encrypts payloads and chunks; a webhook waits for a key management service once a day.

    Args:
        inbox: Stores the keys.
        data_cipher: Creates and unwraps them.
        tokens: Generates the ids to which ciphertexts are bound.
        clock: Determines the day.
    """

    def __init__(self, *, inbox: Inbox, data_cipher: DataCipher, tokens: TokenSource, clock: Clock) -> None:
        self._inbox = inbox
        self._data_cipher = data_cipher
        self._tokens = tokens
        self._clock = clock
        self._keys: dict[str, DataKey] = {}

    async def encrypt(self, text: str, role: str) -> str:
        """Returns the ciphertext of a text under today's key.

        Raises:
            StorageUnavailableError: The store is unavailable.
            SecretUnreadableError: Today's key can't be unwrapped.
        """
        day = self._clock.now().date()
        key = self._keys.get(day.isoformat()) or await self._todays_key(day)
        item = self._tokens.turn_id()
        return f"{day.isoformat()}.{item}.{key.encrypt_text(text, _address(day.isoformat(), item, role))}"

    async def decrypt(self, stored: str, role: str) -> str:
        """Returns the text of a ciphertext.

        Raises:
            StorageUnavailableError: The store is unavailable.
            SecretUnreadableError: The ciphertext is damaged, or its key is deleted or can't be unwrapped.
        """
        day, _, rest = stored.partition(".")
        item, _, encrypted = rest.partition(".")
        key = self._keys.get(day) or await self._stored_key(day)
        return key.decrypt_text(encrypted, _address(day, item, role))

    async def _todays_key(self, day: date) -> DataKey:
        found = await self._inbox.ingest_key(day)
        if found is None:
            _, wrapped = await self._data_cipher.create_key(_name(day.isoformat()))
            draft = WrappedKey(
                kind=KeyKind.INGEST,
                id=day.isoformat(),
                key=wrapped,
                wrapped_by=await self._data_cipher.key_id_of(wrapped),
            )
            found = await self._inbox.ingest_key(day, draft)
        return await self._unwrapped(day.isoformat(), found)

    async def _stored_key(self, day: str) -> DataKey:
        try:
            found = await self._inbox.ingest_key(date.fromisoformat(day))
        except ValueError:
            raise SecretUnreadableError from None
        return await self._unwrapped(day, found)

    async def _unwrapped(self, day: str, found: WrappedKey | None) -> DataKey:
        if found is None:
            raise SecretUnreadableError(hint="The key of its day was deleted with the last event of that day")
        key = await self._data_cipher.unwrap_key(found.key, _name(day))
        while len(self._keys) >= _MAX_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[day] = key
        return key


def _name(day: str) -> str:
    return f"ingest/{day}"


def _address(day: str, item: str, role: str) -> DataAddress:
    return DataAddress(conversation=_name(day), item=item, role=role)
