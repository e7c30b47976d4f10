from typing import Any

import pytest

from polyant.domain.instance_states import MAX_STATES
from support.api import Api

BOT = "/instances/bot"
HISTORY = f"{BOT}/history"
SECRET = {"secrets": [{"key": "vendor_api_key", "value": "hidden-value"}]}


async def change(api: Api, **fields: Any) -> None:
    await api.succeed("PATCH", BOT, fields)


async def test_new_instance_has_no_history(api: Api) -> None:
    assert await api.succeed("GET", HISTORY) == {"states": [], "total": 0, "limit": 50, "offset": 0}


async def test_states_are_listed_latest_first(api: Api) -> None:
    await change(api, name="Susie", limits={"maxSteps": 3}, options={"vendor": {"effort": "low"}})
    await api.succeed("PATCH", f"{BOT}/prompts", {"sections": [{"key": "02-soul", "content": "Kind."}]})
    found = await api.succeed("GET", HISTORY)
    at = api.app.management.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    by = {"replacedAt": at, "replacedBy": "ada@example.com"}
    assert found["states"] == [
        {"number": 2, **by, "changed": ["02-soul"]},
        {"number": 1, **by, "changed": ["name", "max_steps", "options.vendor"]},
    ]
    second = await api.succeed("GET", f"{HISTORY}?limit=1&offset=1")
    assert ([state["number"] for state in second["states"]], second["total"]) == ([1], 2)


async def test_state_is_shown_with_prompts_and_settings_only(api: Api) -> None:
    await api.succeed("PUT", f"{BOT}/secrets", SECRET)
    before = await api.succeed("GET", BOT)
    prompts = await api.succeed("GET", f"{BOT}/prompts")
    await change(api, name="Susie", model="large", baseUrl="https://llm.example/v1", temperature=0.5)
    response = await api.get(f"{HISTORY}/2")
    shown = response.json
    assert shown["number"] == 2
    assert shown["changed"] == ["name", "model", "base_url", "temperature"]
    settings = ("name", "description", "provider", "model", "baseUrl", "temperature", "limits", "options")
    fields = (*settings, "imageInput", "conversations", "historyTokens", "historyMessages")
    assert shown["content"] == {
        **{name: before["instance"][name] for name in fields},
        "prompts": prompts["prompts"],
        "skills": [],
    }
    assert b"hidden" not in response.body
    assert b"vendor_api_key" not in response.body


async def test_restored_state_is_saved(api: Api) -> None:
    await change(api, name="Susie")
    response = await api.post(f"{HISTORY}/1/restore")
    assert (response.status, response.json["instance"]["name"]) == (200, "Bot")
    assert response.header("etag") == '"3"'
    assert (await api.succeed("GET", BOT))["instance"]["name"] == "Bot"
    assert [state["number"] for state in (await api.succeed("GET", HISTORY))["states"]] == [2, 1]
    assert (await api.app.management.audit_entries())[-1] == (
        "ada@example.com",
        "instance.restore",
        "bot",
        None,
        ("1",),
    )


async def test_restore_leaves_access_and_status(api: Api) -> None:
    await change(api, name="Susie", status="disabled")
    await api.succeed("POST", f"{BOT}/keys", {})
    restored = (await api.succeed("POST", f"{HISTORY}/1/restore"))["instance"]
    assert (restored["name"], restored["status"], restored["authEnabled"]) == ("Bot", "disabled", True)


async def test_restore_brings_back_the_conversation_settings_but_not_their_readers(api: Api, admin: Api) -> None:
    await admin.succeed("PATCH", BOT, {"conversations": True, "historyTokens": 500, "transcripts": "users"})
    await api.succeed("PATCH", BOT, {"transcripts": "superadmins"})
    restored = (await api.succeed("POST", f"{HISTORY}/1/restore"))["instance"]
    assert (restored["conversations"], restored["historyTokens"]) == (False, 8_000)
    again = (await api.succeed("POST", f"{HISTORY}/3/restore"))["instance"]
    assert (again["conversations"], again["historyTokens"], again["transcripts"]) == (True, 500, "superadmins")


async def test_restore_of_another_version_is_refused(api: Api) -> None:
    await change(api, name="Susie")
    assert (await api.post(f"{HISTORY}/1/restore", if_match='"1"')).status == 412
    assert (await api.succeed("GET", BOT))["instance"]["name"] == "Susie"
    assert (await api.post(f"{HISTORY}/1/restore", if_match='"2"')).status == 200


async def test_only_superadmins_restore_internal_addresses(api: Api, admin: Api) -> None:
    await change(admin, baseUrl="http://10.0.0.7/v1")
    await change(admin, baseUrl=None)
    refused = await api.post(f"{HISTORY}/2/restore")
    assert refused.status == 400
    assert "Only a superadmin can set the address http://10.0.0.7/v1" in refused.json["message"]
    assert (await api.succeed("GET", BOT))["instance"]["baseUrl"] is None
    restored = await admin.succeed("POST", f"{HISTORY}/2/restore")
    assert restored["instance"]["baseUrl"] == "http://10.0.0.7/v1"


async def test_restore_names_a_key_to_enter_again(api: Api) -> None:
    await change(api, baseUrl="https://llm.example/v1")
    await api.succeed("PUT", f"{BOT}/secrets", SECRET)
    restored = await api.succeed("POST", f"{HISTORY}/1/restore")
    assert "was entered for an address other than its base URL" in restored["notices"][0]


async def test_deleted_state_is_gone(api: Api) -> None:
    await change(api, name="Susie")
    assert await api.succeed("DELETE", f"{HISTORY}/1") == {"deleted": True}
    assert (await api.succeed("GET", HISTORY))["total"] == 0
    assert (await api.delete(f"{HISTORY}/1")).status == 404
    assert (await api.app.management.audit_entries())[-1] == ("ada@example.com", "history.delete", "bot", None, ("1",))


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "1.0", "99999999999999999999", "%00", "²"])
async def test_unknown_state_is_not_found(api: Api, number: str) -> None:
    await change(api, name="Susie")
    for method, path in (("GET", ""), ("POST", "/restore"), ("DELETE", "")):
        response = await api(method, f"{HISTORY}/{number}{path}")
        assert (response.status, response.json["message"][:20]) == (404, "The history has no s")


@pytest.mark.parametrize("slug", ["nobody", "NO%20SLUG"])
async def test_unknown_instance_is_not_found(api: Api, slug: str) -> None:
    path = f"/instances/{slug}/history"
    for method, target in (("GET", path), ("GET", f"{path}/1"), ("POST", f"{path}/1/restore"), ("DELETE", f"{path}/1")):
        response = await api(method, target)
        assert (response.status, response.json["message"]) == (404, "Unknown instance")


async def test_history_requires_a_session(api: Api) -> None:
    anybody = Api(api.app, None)
    await change(api, name="Susie")
    for method, path in (("GET", ""), ("GET", "/1"), ("POST", "/1/restore"), ("DELETE", "/1")):
        assert (await anybody(method, f"{HISTORY}{path}")).status == 401
    assert (await api.succeed("GET", HISTORY))["total"] == 1


async def test_instance_keeps_its_latest_states(api: Api) -> None:
    for number in range(MAX_STATES + 2):
        await change(api, name=f"Name {number}")
    found = await api.succeed("GET", f"{HISTORY}?limit=200")
    assert [state["number"] for state in found["states"]] == list(range(MAX_STATES + 2, 2, -1))
