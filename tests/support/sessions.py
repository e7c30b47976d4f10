"""Valid and invalid session tokens."""

import json
import time
from typing import Any

import jwt

AUTH_SECRET = "a secret of the tests that is long enough"
USER_ID = "user-1"
TOKEN_ID = "token-1"


def session_token(*, secret: str = AUTH_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Returns a session token that is valid except for the given arguments; a claim of None is left out."""
    now = int(time.time())
    valid = {"sub": USER_ID, "iss": "polyant", "aud": "polyant", "iat": now, "exp": now + 3_600, "jti": TOKEN_ID}
    payload = {name: value for name, value in {**valid, **claims}.items() if value is not None}
    # jwt.encode refuses some invalid claims that a verifier may receive.
    return jwt.PyJWS().encode(json.dumps(payload).encode(), secret, algorithm)
