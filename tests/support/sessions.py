"""Session tokens, good and bad."""

import json
import time
from typing import Any

import jwt

AUTH_SECRET = "a secret of the tests that is long enough"
USER_ID = "user-1"
TOKEN_ID = "token-1"


def session_token(*, secret: str = AUTH_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Returns a good session token but for what is given; a claim given as None is left out."""
    now = int(time.time())
    good = {"sub": USER_ID, "iss": "polyant", "aud": "polyant", "iat": now, "exp": now + 3_600, "jti": TOKEN_ID}
    payload = {name: value for name, value in {**good, **claims}.items() if value is not None}
    # Not jwt.encode, which refuses claims that a verifier may well be shown.
    return jwt.PyJWS().encode(json.dumps(payload).encode(), secret, algorithm)
