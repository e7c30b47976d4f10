"""Schemathesis hooks that keep a valid session and avoid rate limits, whatever users and sessions it changes."""

import asyncio
import os
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.domain.access import Session
from polyant.domain.secrets import SecretText
from polyant.domain.users import Email, Role, StoredSession, User, UserId
from polyant.http.session_tokens import JwtSessionTokens

DATABASE_URL = os.environ["DATABASE_URL"]
TOKENS = JwtSessionTokens(SecretText(os.environ["AUTH_SECRET"]))


class SuperadminSession:
    """Keeps a superadmin with a valid session in the server's database."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._database = PiccoloDatabase(DATABASE_URL)
        self._users = PiccoloUserRepo(database=self._database)
        self._sessions = PiccoloSessionRepo(database=self._database)
        self._runner.run(self._database.__aenter__())
        self._changes = sqlite3.connect(DATABASE_URL.removeprefix("sqlite:///"), check_same_thread=False)
        self._version: int | None = None
        self._session: Session | None = None
        self._token = ""

    def token(self) -> str:
        """Returns the token of a session that is valid now."""
        (version,) = self._changes.execute("PRAGMA data_version").fetchone()
        if version != self._version:  # another process has changed the database
            self._version = version
            self._token = self._runner.run(self._valid_token())
        return self._token

    async def _valid_token(self) -> str:
        if self._session is None or not await self._is_valid(self._session):
            self._session = await self._start_session()
        return TOKENS.issue(self._session).reveal()

    async def _is_valid(self, session: Session) -> bool:
        user = await self._sessions.user_of(session.token_id, now=datetime.now(UTC))
        return user is not None and user.is_active_superadmin

    async def _start_session(self) -> Session:
        now = datetime.now(UTC)
        user = User(
            id=UserId(secrets.token_hex(16)),
            email=Email(f"{secrets.token_hex(8)}@example.com"),
            role=Role.SUPERADMIN,
            password_hash="",
            created_at=now,
            updated_at=now,
        )
        user = await self._users.add(user)
        session = Session(user_id=user.id, token_id=secrets.token_hex(16), expires_at=now + timedelta(hours=1))
        stored = StoredSession(token_id=session.token_id, user_id=user.id, expires_at=session.expires_at)
        await self._sessions.add(stored, user_version=user.version, now=now)
        return session


SUPERADMIN = SuperadminSession()


@schemathesis.auth(refresh_interval=None)
class SessionAuth:
    """Sends the session token with each request."""

    def get(self, case: Any, context: Any) -> str:
        return SUPERADMIN.token()

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Sends each request from a new client address, because failed logins are limited by address."""
    address = ".".join(str(byte) for byte in secrets.token_bytes(4))
    case.headers = {**(case.headers or {}), "X-Forwarded-For": address}
