import msgspec
import pytest

from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instances import InstanceStatus, Slug
from polyant.domain.limits import TurnLimits
from polyant.domain.use_cases.update_instance import InstancePatch
from support.harness import UseCaseHarness


async def test_only_fields_of_the_patch_change(harness: UseCaseHarness, slug: Slug) -> None:
    before = await harness.load(slug)
    after = await harness.update(slug, InstancePatch(name="Susie", temperature=0.5))
    assert (after.name, after.temperature) == ("Susie", 0.5)
    assert (after.slug, after.model, after.sections) == (before.slug, before.model, before.sections)
    assert await harness.load(slug) == after


async def test_null_resets_a_value(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(temperature=0.5, base_url="http://localhost:1/"))
    assert (await harness.load(slug)).base_url == "http://localhost:1"
    after = await harness.update(slug, InstancePatch(temperature=None, base_url=None))
    assert (after.temperature, after.base_url) == (None, None)


async def test_new_provider_sets_its_default_model(harness: UseCaseHarness, slug: Slug) -> None:
    assert (await harness.update(slug, InstancePatch(provider="vendor"))).model == "small"
    assert (await harness.update(slug, InstancePatch(model="large"))).model == "large"
    assert (await harness.update(slug, InstancePatch(provider="vendor"))).model == "large"
    assert (await harness.update(slug, InstancePatch(provider="echo", model="mine"))).model == "mine"


async def test_new_provider_resets_the_base_url_unless_one_is_given(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(provider="vendor", base_url="http://one/v1"))
    assert (await harness.update(slug, InstancePatch(provider="vendor", name="N"))).base_url == "http://one/v1"
    assert (await harness.update(slug, InstancePatch(provider="echo"))).base_url is None
    both = InstancePatch(provider="vendor", base_url="http://two/v1/chat/completions")
    assert (await harness.update(slug, both)).base_url == "http://two/v1"


@pytest.mark.parametrize(
    "patch, message",
    [
        (InstancePatch(provider="nobody"), "Unknown provider 'nobody'"),
        (InstancePatch(base_url=""), "A base URL"),
        (InstancePatch(name=""), "name must have"),
        (InstancePatch(model="\0"), "model must have"),
        (InstancePatch(temperature=-1), "temperature must be"),
        (InstancePatch(tools=("weather",)), "Unknown tool 'weather'; available: calculate, current_time"),
        (InstancePatch(max_steps=0), r"Expected `int` >= 1 - at `\$.max_steps`"),
        (InstancePatch(max_steps=101), r"Expected `int` <= 100"),
        (InstancePatch(max_tool_calls=-1), r"at `\$.max_tool_calls`"),
        (InstancePatch(turn_seconds=0), r"Expected `float` > 0.0 - at `\$.turn_seconds`"),
        (InstancePatch(tool_seconds=3_601), r"at `\$.tool_seconds`"),
    ],
)
async def test_invalid_value_is_refused(
    harness: UseCaseHarness, slug: Slug, patch: InstancePatch, message: str
) -> None:
    before = await harness.load(slug)
    with pytest.raises(InvalidInputError, match=message):
        await harness.update(slug, patch)
    assert await harness.load(slug) == before


async def test_auth_is_not_turned_on_without_a_key(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InvalidInputError, match="auth can't be enabled without an API key"):
        await harness.update(slug, InstancePatch(auth_enabled=True))
    await harness.issue_key(slug, keep_open=True)
    assert (await harness.update(slug, InstancePatch(auth_enabled=True))).auth_enabled
    assert not (await harness.update(slug, InstancePatch(auth_enabled=False))).auth_enabled


async def test_status_is_changed(harness: UseCaseHarness, slug: Slug) -> None:
    assert not (await harness.update(slug, InstancePatch(status=InstanceStatus.DISABLED))).is_active
    assert (await harness.update(slug, InstancePatch(status=InstanceStatus.ACTIVE))).is_active


async def test_update_of_another_version_is_refused(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InstanceChangedError):
        await harness.update(slug, InstancePatch(name="Susie"), expected_versions={7})


async def test_unknown_instance_cannot_be_updated(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await harness.update(Slug("nobody"), InstancePatch(name="Susie"))


async def test_tools_have_the_order_of_the_patch_without_duplicates(harness: UseCaseHarness, slug: Slug) -> None:
    tools = ("current_time", "calculate", "current_time")
    assert (await harness.update(slug, InstancePatch(tools=tools))).tools == ("current_time", "calculate")
    assert (await harness.update(slug, InstancePatch(name="Susie"))).tools == ("current_time", "calculate")
    assert (await harness.update(slug, InstancePatch(tools=()))).tools == ()


async def test_uninstalled_tool_may_stay(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.apply_edit(slug, lambda instance, _: msgspec.structs.replace(instance, tools=("gone",)))
    assert (await harness.update(slug, InstancePatch(tools=("gone", "calculate")))).tools == ("gone", "calculate")
    await harness.update(slug, InstancePatch(tools=("calculate",)))
    with pytest.raises(InvalidInputError, match="Unknown tool 'gone'"):
        await harness.update(slug, InstancePatch(tools=("gone",)))


async def test_options_are_replaced_for_each_adapter_and_reset_by_null(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(options={"vendor": {"maxTokens": 5, "effort": "high"}}))
    after = await harness.update(slug, InstancePatch(options={"vendor": {"maxTokens": 6}}))
    assert after.options == {"vendor": {"maxTokens": 6}}
    assert (await harness.update(slug, InstancePatch(options={}))).options == after.options
    assert (await harness.update(slug, InstancePatch(name="Susie"))).options == after.options
    assert (await harness.update(slug, InstancePatch(options={"vendor": None}))).options == {}
    assert (await harness.update(slug, InstancePatch(options={"vendor": None}))).options == {}


async def test_options_of_a_missing_adapter_stay_and_can_be_removed(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.apply_edit(slug, lambda instance, _: msgspec.structs.replace(instance, options={"gone": {"x": 1}}))
    after = await harness.update(slug, InstancePatch(options={"vendor": {}}))
    assert after.options == {"gone": {"x": 1}, "vendor": {}}
    assert (await harness.update(slug, InstancePatch(options={"gone": None}))).options == {"vendor": {}}
    with pytest.raises(InvalidInputError, match="Unknown adapter 'gone'"):
        await harness.update(slug, InstancePatch(options={"gone": None}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nobody": {}}, "Unknown adapter 'nobody'; adapters with options: vendor"),
        ({"nobody": None}, "Unknown adapter 'nobody'"),
        ({"echo": {}}, "The adapter 'echo' has no options"),
        ({"vendor": {"effort": "some"}}, r"Invalid enum value 'some' - at `\$.options.vendor.effort`"),
    ],
)
async def test_invalid_options_are_not_stored(
    harness: UseCaseHarness, slug: Slug, options: dict[str, dict[str, object] | None], message: str
) -> None:
    before = await harness.load(slug)
    with pytest.raises(InvalidInputError, match=message):
        await harness.update(slug, InstancePatch(name="Susie", options=options))
    assert await harness.load(slug) == before


async def test_limits_are_set_and_reset_independently(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(max_steps=5, max_tool_calls=0, turn_seconds=60.5, tool_seconds=2))
    after = await harness.update(slug, InstancePatch(max_tool_calls=None))
    assert after.limits == TurnLimits(max_steps=5, turn_seconds=60.5, tool_seconds=2)
