"""The options of adapters: the fields of their JSON schemas, errors, conflicts, and options of gone adapters."""

import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.instances import Instance, Slug
from support.app import App, serving
from support.management import PASSWORD
from support.panel import Browser, location, read

SETTINGS = "/instances/demo-bot/settings"
PAGE = "/instances/demo-bot/options/vendor"


class Mood(enum.StrEnum):
    """How the model feels."""

    CALM = "calm"
    EAGER = "eager"


class Inner(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] = ()


class Gears(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Options with a field of each kind."""

    region: Annotated[str, Meta(description="Where the vendor computes", max_length=20, pattern="^[a-z]*$")] = "eu"
    max_tokens: Annotated[int, Meta(ge=1, le=5_000)] = 1_000
    share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    mood: Mood = Mood.CALM
    level: Literal[1, 2, "full"] = 1
    cached: bool = False
    inner: Inner = Inner()
    labels: dict[str, str] = {}
    prefix: Annotated[str, Meta(max_length=1_000)] = ""
    budget: Annotated[int, Meta(ge=0)] | None = 5

    def __post_init__(self) -> None:
        if self.region == "moon":
            raise ValueError("region must be on earth")


class Needy(msgspec.Struct, frozen=True, kw_only=True):
    """Options with a required field."""

    token_count: int
    loud: bool


DECLARED = AdapterOptions({"vendor": Gears, "look_up": Needy, "echo": None, "gearbox": Needy})
TYPED = {
    "option.region": "us",
    "option.maxTokens": "2,000",
    "option.share": "0,5",
    "option.mood": "eager",
    "option.level": "2",
    "option.cached": "on",
    "option.inner": '{"tags": ["a", "b"]}',
    "option.labels": '{"team": "<b>{{7*7}}</textarea>"}',
    "option.prefix": " two\nlines ",
    "option.budget": "null",
}
STORED = {
    "region": "us",
    "maxTokens": 2_000,
    "share": 0.5,
    "mood": "eager",
    "level": 2,
    "cached": True,
    "inner": {"tags": ["a", "b"]},
    "labels": {"team": "<b>{{7*7}}</textarea>"},
    "prefix": " two\nlines ",
    "budget": None,
}


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with serving(panel=True, adapter_options=DECLARED) as app:
        await change(app, options={}, tools=())
        yield app


async def stored(app: App) -> Instance:
    found = await app.repo.get(Slug("demo-bot"))
    assert found is not None
    return found


async def change(app: App, **fields: Any) -> None:
    await app.repo.save(msgspec.structs.replace(await stored(app), **fields))


async def form_of(browser: Browser, page: str = PAGE) -> dict[str, str]:
    return dict((await browser.page(page)).values)


async def test_field_of_each_kind_is_saved_and_shown_again(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    assert {*form.values()} == {"", form["seen"]}
    assert location(await browser.post(PAGE, form | TYPED)) == f"{SETTINGS}?done=options#options"
    assert (await stored(app)).options == {"vendor": STORED}
    assert "Options saved." in (await browser.page(f"{SETTINGS}?done=options")).text
    assert (await app.management.audit_entries())[-1][4] == ("options.vendor",)
    shown = await form_of(browser)
    assert (shown["option.region"], shown["option.maxTokens"], shown["option.share"]) == ("us", "2000", "0.5")
    assert (shown["option.mood"], shown["option.level"], shown["option.cached"]) == ("eager", "2", "on")
    assert (shown["option.prefix"], shown["option.budget"]) == (" two\nlines ", "null")
    version = (await stored(app)).version
    await browser.post(PAGE, shown)
    assert (await stored(app)).version == version  # an unchanged form isn't saved


async def test_fields_name_descriptions_bounds_and_defaults(browser: Browser) -> None:
    text = (await browser.page(PAGE)).text
    for expected in (
        "Where the vendor computes. At most 20 characters; must match ^[a-z]*$. Empty: eu.",
        "A whole number from 1 to 5,000. Empty: 1,000.",
        "A number, above 0 and below 1.",
        "How the model feels. Default: calm.",
        "Default: off.",
        "An object in JSON.",
        "Default: 1.",
    ):
        assert expected in text, expected


class Titled(msgspec.Struct, frozen=True, rename="camel"):
    """Options with titles."""

    max_tokens: Annotated[int, Meta(title="Longest answer", description="In tokens.", ge=1)] = 1_000
    share: Annotated[float, Meta(title="Share of <b>tokens</b>", gt=0, lt=1)] | None = None
    mood: Mood = Mood.CALM
    blank: Annotated[bool, Meta(title=" ")] = False


async def test_titles_are_labels() -> None:
    async with serving(panel=True, adapter_options=AdapterOptions({"vendor": Titled})) as app:
        await app.management.add_user(password=PASSWORD)
        browser = Browser(app)
        await browser.sign_in()
        response = await browser.get(PAGE)
        for label in (
            '<label for="option.maxTokens">Longest answer ',
            '<label for="option.share">Share of &lt;b&gt;tokens&lt;/b&gt; ',
            '<label for="option.mood">mood</label>',
            '<label for="option.blank">blank</label>',
            "In tokens. A whole number, at least 1. Empty: 1,000. Stored as maxTokens.",
        ):
            assert label in response.body.decode(), label
        refused = read(await browser.post(PAGE, await form_of(browser) | {"option.maxTokens": "0"}))
        assert "Longest answer: Enter a whole number, at least 1" in " ".join(refused.text.split())
        await change(app, options={"vendor": {"maxTokens": "ten"}})
        assert "Longest answer: Expected `int`, got `str`" in " ".join((await browser.page(PAGE)).text.split())


async def test_option_of_an_earlier_version_does_not_stop_the_assistant(app: App, browser: Browser) -> None:
    await change(app, options={"vendor": {"maxTokens": 7, "gone": 1}})
    shown = (await browser.page(PAGE)).text
    assert "Saving removes them." in shown
    assert "can’t answer with these options" not in shown


async def test_empty_fields_remove_options(app: App, browser: Browser) -> None:
    await change(app, options={"vendor": STORED, "echo": {"a": 1}})
    form = await form_of(browser)
    await browser.post(PAGE, form | dict.fromkeys(TYPED, "") | {"option.maxTokens": "7"})
    assert (await stored(app)).options == {"vendor": {"maxTokens": 7}, "echo": {"a": 1}}
    await browser.post(PAGE, await form_of(browser) | {"option.maxTokens": " "})
    assert (await stored(app)).options == {"echo": {"a": 1}}


async def test_empty_text_can_replace_a_default(app: App, browser: Browser) -> None:
    assert location(await browser.post(PAGE, await form_of(browser) | {"option.region": '""'}))
    assert (await stored(app)).options == {"vendor": {"region": ""}}
    assert (await form_of(browser))["option.region"] == '""'


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("maxTokens", "0", "Enter a whole number from 1 to 5,000"),
        ("maxTokens", "many", "Enter a whole number from 1 to 5,000"),
        ("maxTokens", "1.5", "Enter a whole number"),
        ("maxTokens", "9" * 5_000, "Enter a whole number"),
        ("share", "1", "Enter a number, above 0 and below 1"),
        ("share", "nan", "Enter a number"),
        ("share", "1e999", "Enter a number"),
        ("share", "1,000", "Enter a number"),
        ("mood", "angry", "Choose one of: calm, eager"),
        ("level", "3", "Choose one of: 1, 2, full"),
        ("cached", "yes", "Choose one of: on, off"),
        ("inner", "{", "This isn’t JSON: "),
        ("inner", "[" * 100_000, "This isn’t JSON: "),
        ("inner", "[]", "Expected `object`, got `array`"),
        ("inner", '{"tags": [1]}', "Expected `str`, got `int` - at `$.tags[0]`"),
        ("region", "EU", "Expected `str` matching regex"),
        ("region", "moon", "region must be on earth"),
        ("budget", "-1", "Expected `int` &gt;= 0"),
    ],
)
async def test_invalid_value_is_refused_at_its_field(
    app: App, browser: Browser, field: str, value: str, error: str
) -> None:
    before = await stored(app)
    form = await form_of(browser) | {"option.prefix": "typed", f"option.{field}": value}
    response = await browser.post(PAGE, form)
    assert response.status == 400
    shown = read(response)
    assert f'id="option.{field}-error">{error}' in response.body.decode()
    assert "Nothing was saved: 1 thing to correct" in shown.text
    assert f"#option.{field}" in shown.links
    assert shown.values["option.prefix"] == "typed"
    assert await stored(app) == before


async def test_all_faults_of_a_form_are_shown_at_once(browser: Browser) -> None:
    response = await browser.post(PAGE, await form_of(browser) | {"option.share": "2", "option.inner": "[]"})
    assert "Nothing was saved: 2 things to correct" in read(response).text


async def test_required_fields_must_be_set(app: App, browser: Browser) -> None:
    page = "/instances/demo-bot/options/look_up"
    response = await browser.post(page, await form_of(browser, page))
    assert read(response).text.count("Enter a value") == 4  # in the list and at both fields
    form = await form_of(browser, page) | {"option.token_count": "3", "option.loud": "off"}
    assert location(await browser.post(page, form)) == "/instances/demo-bot/tools?done=options#options"
    assert (await stored(app)).options == {"look_up": {"token_count": 3, "loud": False}}


async def test_options_too_large_are_refused(app: App, browser: Browser) -> None:
    labels = msgspec.json.encode({"a": "x" * 20_000}).decode()
    response = await browser.post(PAGE, await form_of(browser) | {"option.labels": labels})
    assert response.status == 400
    assert "options must have at most" in read(response).text
    assert (await stored(app)).options == {}


async def test_conflict_saves_nothing_and_shows_both(app: App, browser: Browser) -> None:
    mine, theirs = await form_of(browser), await form_of(browser)
    await browser.post(PAGE, theirs | {"option.maxTokens": "7"})
    response = await browser.post(PAGE, mine | {"option.maxTokens": "9"})
    assert response.status == 409
    assert "maxTokens, as saved now7" in read(response).text.replace("\n", "")
    assert read(response).values["option.maxTokens"] == "9"
    assert (await stored(app)).options == {"vendor": {"maxTokens": 7}}
    await browser.post(PAGE, read(response).values | {"overwrite": "1"})
    assert (await stored(app)).options == {"vendor": {"maxTokens": 9}}


async def test_conflict_is_told_after_a_form_with_errors(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    await change(app, options={"vendor": {"maxTokens": 7}})
    page = read(await browser.post(PAGE, form | {"option.share": "2"}))
    assert (await browser.post(PAGE, page.values | {"option.share": ""})).status == 409


async def test_unrelated_save_is_no_conflict(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    await change(app, name="Other", options={"echo": {"a": 1}})
    await browser.post(PAGE, form | {"option.maxTokens": "9"})
    assert (await stored(app)).options == {"vendor": {"maxTokens": 9}, "echo": {"a": 1}}


async def test_button_removes_all_options(app: App, browser: Browser) -> None:
    await change(app, options={"vendor": STORED})
    form = await form_of(browser) | {"option.maxTokens": "rubbish", "remove": "1"}
    assert location(await browser.post(PAGE, form)) == f"{SETTINGS}?done=options-removed#options"
    assert (await stored(app)).options == {}


async def test_options_that_an_upgrade_made_invalid_are_shown_and_can_be_fixed(app: App, browser: Browser) -> None:
    await change(app, options={"vendor": {"mood": "angry", "maxTokens": "ten", "gone": [1]}})
    assert "The assistant can’t answer with these options" in (await browser.page(PAGE)).text
    shown = await browser.page(PAGE)
    assert "Saving removes them." in shown.text
    assert (shown.values["option.mood"], shown.values["option.maxTokens"]) == ("angry", "ten")
    response = await browser.post(PAGE, shown.values)
    assert response.status == 400
    assert "Invalid enum value" in read(response).text
    await browser.post(PAGE, shown.values | {"option.mood": "", "option.maxTokens": "10"})
    assert (await stored(app)).options == {"vendor": {"maxTokens": 10}}


async def test_options_of_a_gone_adapter_can_only_be_removed(app: App, browser: Browser) -> None:
    page = "/instances/demo-bot/options/old_tool"
    assert (await browser.get(page)).status == 404
    await change(app, options={"old_tool": {"size": 3}, "vendor": {"maxTokens": 7}})
    shown = await browser.page(page)
    assert "so these have no effect" in shown.text
    assert '"size": 3' in shown.text
    assert location(await browser.post(page, shown.values)) == f"{SETTINGS}?done=options-removed#options"
    assert (await stored(app)).options == {"vendor": {"maxTokens": 7}}


async def test_settings_and_tools_lead_to_the_options(app: App, browser: Browser) -> None:
    await change(app, provider="vendor", tools=("look_up",), options={"vendor": {"maxTokens": 7}, "old_tool": {}})
    shown = await browser.page(SETTINGS)
    for adapter in ("vendor", "gearbox", "look_up", "old_tool"):
        assert f"/instances/demo-bot/options/{adapter}" in shown.links
    assert "Set: maxTokens" in shown.text
    assert "Not enabled" in shown.text
    assert "Invalid: turns fail" in shown.text  # look_up needs a value
    await change(app, provider="echo", tools=(), options={})
    links = (await browser.page(SETTINGS)).links
    assert "/instances/demo-bot/options/vendor" not in links
    assert "/instances/demo-bot/options/look_up" not in links


async def test_typed_options_survive_the_end_of_the_session(app: App, browser: Browser) -> None:
    await change(app, options={"vendor": STORED})
    form = await form_of(browser) | {"option.maxTokens": "9", "remove": "1"}
    browser.cookie = None
    response = await browser.post(PAGE, form)
    assert response.status == 401
    login = read(response).values | {"email": "ada@example.com", "secret.password": PASSWORD}
    again = read(await browser.post("/login", login))
    assert "Nothing is saved yet" in again.text
    assert again.values["option.maxTokens"] == "9"
    assert (await stored(app)).options == {"vendor": STORED}


async def test_unknown_adapter_and_adapter_without_options_have_no_page(browser: Browser) -> None:
    for name in ("nobody", "echo", "%3Cb%3E"):
        response = await browser.get(f"/instances/demo-bot/options/{name}")
        assert response.status == 404
        assert "There is no adapter with options called" in read(response).text
