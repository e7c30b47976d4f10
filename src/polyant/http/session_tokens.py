"""Session tokens as JWTs, encoded and decoded by Litestar."""

from litestar.exceptions import NotAuthorizedException
from litestar.security.jwt import Token

from polyant.domain.access import Session
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.secrets import SecretText

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "polyant"


class JwtSessionTokens(SessionTokens):
    """Issues and verifies JWTs signed with HS256.

    Args:
        secret: The signing key; at least 32 characters.
    """

    def __init__(self, secret: SecretText) -> None:
        self._secret = secret

    def issue(self, session: Session) -> SecretText:
        token = Token(sub=session.user_id, jti=session.token_id, exp=session.expires_at, iss=ISSUER, aud=AUDIENCE)
        return SecretText(token.encode(self._secret.reveal(), ALGORITHM))

    def verify(self, token: SecretText) -> Session | None:
        try:
            claims = Token.decode(
                token.reveal(),
                secret=self._secret.reveal(),
                algorithm=ALGORITHM,
                audience=AUDIENCE,
                issuer=ISSUER,
                require_claims=["sub", "iat", "exp", "jti", "iss", "aud"],
            )
        except (NotAuthorizedException, TypeError, ValueError):  # raised by Litestar for malformed claims
            return None
        if not isinstance(claims.jti, str) or not claims.jti:
            return None
        return Session(user_id=claims.sub, token_id=claims.jti, expires_at=claims.exp)
