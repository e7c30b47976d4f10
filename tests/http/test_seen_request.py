"""GET /health/seen."""

import msgspec
import pytest

from polyant.domain.secrets import SecretText
from polyant.http.operator_proof import HEADER, OperatorProof
from support.app import App, serving
from support.sessions import AUTH_SECRET


def proof_of(app: App) -> str:
    return OperatorProof(SecretText(AUTH_SECRET)).create(app.clock.now().timestamp())


@pytest.mark.parametrize(
    "hops, client, origin",
    [(0, "203.0.113.7", "http://ai.example"), (1, "198.51.100.2", "https://ai.example")],
)
async def test_operator_sees_the_client_and_the_origin(hops: int, client: str, origin: str) -> None:
    forwarded = {"x-forwarded-for": "192.0.2.9, 198.51.100.2", "x-forwarded-proto": "https", "host": "ai.example"}
    async with serving(trusted_hops=hops) as app:
        response = await app.request("GET", "/health/seen", headers={HEADER: proof_of(app), **forwarded})
    assert response.status == 200
    assert msgspec.json.decode(response.body) == {
        "client": client,
        "origin": origin,
        "forwarded_for": ["192.0.2.9", "198.51.100.2"],
    }


@pytest.mark.parametrize("proof", [None, "", "1.2", "late"])
async def test_path_is_unknown_without_a_valid_proof(app: App, proof: str | None) -> None:
    headers = {} if proof is None else {HEADER: proof_of(app) if proof == "late" else proof}
    app.clock.advance(600)
    response = await app.request("GET", "/health/seen", headers=headers)
    expected = {"statusCode": 404, "message": "Cannot GET /health/seen", "error": "Not Found"}
    assert (response.status, msgspec.json.decode(response.body)) == (404, expected)
