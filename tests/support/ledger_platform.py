"""A chat platform for server processes: it appends each message that it takes to a file."""

PACKAGE = "polyant-ledger"
TOKEN = "fake-token-0123456789"

SOURCE = '''
import json
import os
import random

from polyant.domain.channel_info import AccountState
from polyant.domain.channel_sends import Ambiguous, NotSent, Sent
from polyant.testing.fake_channel import FakeChannel


class LedgerChannel(FakeChannel):
    """Takes messages, and sometimes fails to say so."""

    info = type(FakeChannel.info)(
        name="ledger",
        label="Ledger",
        credentials=FakeChannel.info.credentials,
        access=FakeChannel.info.access,
        accesses=FakeChannel.info.accesses,
        deliveries=FakeChannel.info.deliveries,
        max_units=4_000,
    )

    async def check(self, account, change=None):
        return AccountState(account="ledger-account", name="@ledger")

    async def send(self, account, chunk):
        chance = random.random()
        if chance < 0.02:
            return NotSent(0.2)
        if chance < 0.03:
            return Ambiguous("time-out")
        number = os.urandom(8).hex()
        line = json.dumps({"chat": chunk.peer.chat, "text": chunk.text, "id": number}) + "\\n"
        ledger = os.open(os.environ["LEDGER_FILE"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.write(ledger, line.encode())
        finally:
            os.close(ledger)
        return Ambiguous("connection lost") if chance < 0.05 else Sent(number)
'''
