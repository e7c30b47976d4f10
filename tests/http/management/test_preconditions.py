"""If-Match, on all versioned resources."""

import asyncio

import msgspec
import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.users import User
from polyant.http.app import describe
from polyant.http.management.preconditions import etag_of, versions_in
from support.api import Api
from support.envelopes import assert_refused

BODIES = [
    ("PATCH", "", {"description": "x"}),
    ("PATCH", "/prompts", {"sections": []}),
    ("PATCH", "/tools", {"enabled": []}),
    ("PUT", "/secrets", {"secrets": []}),
    ("PUT", "/mcp-servers", {"mcpServers": []}),
]


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, None),
        ("*", None),
        (" * ", None),
        ('"3"', {3}),
        ('"3", "5"', {3, 5}),
        ('"3","5" ,"7"', {3, 5, 7}),
        ('W/"3"', set()),
        ('W/"3", "4"', {4}),
        ('"3", W/"4"', {3}),
        ('"abc"', set()),
        ('"³"', set()),
        ('"-1"', set()),
        ('"' + "9" * 30 + '"', set()),
        ('"3,5"', set()),
        ('"*"', set()),
        ('"W/", "5"', {5}),
    ],
)
def test_header_is_parsed_as_the_rfc_defines(header: str | None, versions: set[int] | None) -> None:
    found = versions_in(header)
    assert (found is None) is (versions is None)
    assert sorted(found or ()) == sorted(versions or ())


@pytest.mark.parametrize(
    "header",
    ["", " ", "3", '"', '"3', "W/", 'w/"3"', '"3" "5"', '"3",', ', "3"', '*, "3"', "**", '"3"\n', '"a b"', '"🐜"'],
)
def test_malformed_header_is_rejected(header: str) -> None:
    with pytest.raises(InvalidInputError, match="at `If-Match`"):
        versions_in(header)


def test_own_entity_tags_are_parsed() -> None:
    assert etag_of(12) == '"12"'
    assert versions_in(etag_of(12)) == frozenset({12})


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
async def test_write_requires_the_latest_version(api: Api, method: str, path: str, body: dict[str, object]) -> None:
    read = (await api.get(f"/instances/bot{path}")).header("etag")
    assert read == '"1"'
    malformed = await api(method, f"/instances/bot{path}", body, if_match="1")
    assert_refused(malformed, 400, 'Expected entity tags such as "3", or * - at `If-Match`')
    for wrong in ('"2"', 'W/"1"', '"x"', '"0", "3"'):
        response = await api(method, f"/instances/bot{path}", body, if_match=wrong)
        assert (response.status, response.json["error"]) == (412, "Precondition Failed"), wrong
    for right in ('"1"', '"7", "2"', "*"):
        assert (await api(method, f"/instances/bot{path}", body, if_match=right)).status == 200
    assert (await api.get(f"/instances/bot{path}")).header("etag") == '"4"'


async def test_deletion_supports_conditions(api: Api) -> None:
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "one_token", "value": "x"}]})
    assert (await api.delete("/instances/bot/secrets/one_token", if_match='"1"')).status == 412
    assert (await api.delete("/instances/bot/secrets/one_token", if_match='"2"')).status == 200
    assert (await api.delete("/instances/bot", if_match='"2"')).status == 412
    assert (await api.delete("/instances/bot", if_match='"3"')).status == 200
    assert (await api.delete("/instances/bot", if_match="*")).status == 404


async def test_skills_support_conditions(api: Api) -> None:
    path, skill = "/instances/bot/skills/returns", {"description": "x", "instructions": "y"}
    assert (await api.put(path, skill, if_match='"2"')).status == 412
    stored = await api.put(path, skill, if_match='"1"')
    assert (stored.status, stored.header("etag")) == (200, '"2"')
    assert (await api.get("/instances/bot/skills")).header("etag") == (await api.get(path)).header("etag") == '"2"'
    assert (await api.delete(path, if_match='"1"')).status == 412
    assert (await api.delete(path, if_match='"2"')).status == 200


async def test_keys_support_conditions(api: Api) -> None:
    assert (await api.post("/instances/bot/keys", if_match='"2"')).status == 412
    assert (await api.post("/instances/bot/keys", if_match='"1"')).status == 201
    assert (await api.delete("/instances/bot/keys", if_match='"1"')).status == 412
    assert (await api.delete("/instances/bot/keys", if_match='"2"')).status == 200


async def test_import_overwrites_only_the_exported_version(api: Api) -> None:
    exported = await api.get("/instances/bot/export")
    assert exported.header("etag") == '"1"'
    document, path = exported.json, "/import?overwrite=true"
    await api.succeed("PATCH", "/instances/bot", {"description": "theirs"})
    assert (await api.post(path, document, if_match='"1"')).status == 412
    assert (await api.get("/instances/bot")).json["instance"]["description"] == "theirs"
    assert (await api.post(path, document, if_match='"2"')).status == 200
    assert_refused(await api.post(path, {**document, "slug": "nobody"}, if_match='"1"'), 404, "Unknown instance")
    assert (await api.get("/instances/nobody")).status == 404
    assert_refused(await api.post(path, {**document, "slug": "nobody"}, if_match="*"), 404, "Unknown instance")
    assert (await api.get("/instances/nobody")).status == 404
    needless = "If-Match requires overwrite=true - at `If-Match`"
    assert_refused(await api.post("/import", {**document, "slug": "nobody"}, if_match='"3"'), 400, needless)


async def test_users_support_conditions(admin: Api) -> None:
    user: User = await admin.app.management.add_user("eve@example.com")
    path = f"/users/{user.id}"
    for method, body in (("PATCH", {"disabled": True}), ("DELETE", msgspec.UNSET)):
        read = (await admin.get(path)).header("etag") or ""
        assert (await admin(method, path, body, if_match='"9"')).status == 412
        assert (await admin(method, path, body, if_match="9")).status == 400
        assert (await admin(method, path, body, if_match=read)).status == 200


def test_every_write_to_a_versioned_resource_supports_conditions() -> None:
    """Instances and users are versioned; creation, login and chat requests overwrite nothing."""
    unconditional = {
        *("post /api/auth/login", "post /api/auth/logout", "post /api/me/password", "post /api/instances"),
        *("post /api/instances/{slug}/playground", "post /api/users", "delete /api/users/{user_id}/sessions"),
        *("delete /api/instances/{slug}/conversations", "delete /api/instances/{slug}/conversations/{conversation}"),
        *("post /api/providers/check", "post /api/instances/{slug}/mcp-servers/{name}/test"),
        "delete /api/instances/{slug}/history/{number}",  # a state never changes
        *(
            "post /api/instances/{slug}/channels/{channel}/test",
            "post /api/instances/{slug}/channels/{channel}/approvals",
        ),
        "post /api/instances/{slug}/channels/{channel}/dead-letters/{event}/replay",
    }
    writes = {
        f"{method} {path}": {parameter["name"] for parameter in operation.get("parameters", ())}
        for path, methods in describe().document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/") and method != "get"
    }
    assert {write for write, names in writes.items() if "If-Match" not in names} == unconditional


async def test_one_of_two_concurrent_conditional_writes_succeeds(api: Api) -> None:
    writes = [api.patch("/instances/bot", {"description": text}, if_match='"1"') for text in "ab"]
    assert sorted(response.status for response in await asyncio.gather(*writes)) == [200, 412]


async def test_unconditional_changes_of_different_fields_both_succeed(api: Api) -> None:
    section = {"sections": [{"key": "02-soul", "content": "Be kind."}]}
    await asyncio.gather(
        api.succeed("PATCH", "/instances/bot", {"description": "new"}),
        api.succeed("PATCH", "/instances/bot/prompts", section),
        api.succeed("PATCH", "/instances/bot/tools", {"enabled": ["calculate"]}),
    )
    exported = (await api.get("/instances/bot/export")).json
    assert (exported["description"], exported["tools"]) == ("new", ["calculate"])
    assert section["sections"][0] in exported["prompts"]
