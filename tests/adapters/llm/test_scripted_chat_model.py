import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.scripted_chat_model import ScriptedChatModel
from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    ModelRequest,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    UserMessage,
)
from polyant.domain.errors import InvalidInputError, ProviderError, ProviderFailure
from polyant.domain.injectables import ScriptFile
from polyant.domain.urls import origin_of
from polyant.testing.instant_clock import InstantClock
from polyant.testing.manual_clock import ManualClock
from polyant.testing.provider_scripts import events_of

TOOL = ToolSpec(name="current_time", description="Tells it.", parameters=msgspec.Raw(b"{}"))
CALL = ToolCall(id="call_1", name="current_time", arguments="{}")
SCRIPT = [
    {
        "when": "time",
        "steps": [
            [
                {"text": "Let me see. "},
                {"tool": "current_time"},
                {"tool": "current_time", "arguments": {"zone": "UTC"}},
            ],
            [{"text": "It is {{result}}; you said {{user}}."}],
        ],
    },
    {"when": "^slow", "steps": [[{"text": "a"}, {"pause": 2}, {"text": "b"}]]},
    {"when": "break", "steps": [[{"text": "Half"}, {"fail": "overloaded"}]]},
    {"steps": [[{"text": "Anything "}, {"text": "else?"}]]},
]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode(SCRIPT))
    return path


@pytest.fixture
def scripted(script: Path, clock: InstantClock) -> ScriptedChatModel:
    return ScriptedChatModel(clock=clock, script=ScriptFile(script))


def asking(*said: str | ModelMessage, stream: bool = True, **changes: Any) -> ModelRequest:
    messages = tuple(UserMessage.of(message) if isinstance(message, str) else message for message in said)
    request = ModelRequest(
        model="demo",
        base_url=ScriptedChatModel.info.base_url,
        api_key=None,
        system="Be brief.",
        messages=messages,
        tools=(TOOL,),
        stream=stream,
        deadline=100.0,
    )
    return msgspec.structs.replace(request, **changes)


def text_of(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


class TestEcho:
    @pytest.fixture
    def model(self, clock: InstantClock) -> ScriptedChatModel:
        return ScriptedChatModel(clock=clock)

    async def test_echo_introduces_itself_repeats_the_user_and_explains_scripts(self, model: ScriptedChatModel) -> None:
        text = text_of(await events_of(model, asking("old words", AssistantMessage("…"), "new words")))
        assert text.startswith("This is a demonstration")
        assert "You said: new words\n" in text
        assert "old words" not in text
        assert text.endswith("the provider openai or anthropic and that provider's API key.")

    @pytest.mark.parametrize("words", ["hello", "  spaced \n\n out\t", "Zoë 🐜 {{user}} {{result}}", "", "\u2028 x"])
    async def test_streamed_echo_has_the_same_text(self, model: ScriptedChatModel, words: str) -> None:
        streamed = await events_of(model, asking(words))
        whole = await events_of(model, asking(words, stream=False))
        assert text_of(streamed) == text_of(whole)
        assert words.strip() in text_of(whole)
        assert len(streamed) > 20
        assert len(whole) == 2

    async def test_echo_reports_a_missing_user_message(self, model: ScriptedChatModel) -> None:
        assert "You said nothing yet." in text_of(await events_of(model, asking()))

    async def test_echo_truncates_a_long_message(self, model: ScriptedChatModel) -> None:
        assert f"{'x' * 2_000}…\n" in text_of(await events_of(model, asking("x" * 5_000)))

    async def test_echo_counts_words_as_tokens(self, model: ScriptedChatModel) -> None:
        events = await events_of(model, asking("one two", AssistantMessage("three"), "four"))
        assert events[-1] == ModelFinished(usage=Usage(6, len(text_of(events).split())))


class TestScript:
    async def test_first_matching_scene_is_used(self, scripted: ScriptedChatModel) -> None:
        assert text_of(await events_of(scripted, asking("What TIME is it?"))) == "Let me see. "
        assert text_of(await events_of(scripted, asking("Hello"))) == "Anything else?"

    async def test_scene_is_matched_against_the_last_user_message(self, scripted: ScriptedChatModel) -> None:
        request = asking("What time is it?", AssistantMessage("Late."), "Thanks")
        assert text_of(await events_of(scripted, request)) == "Anything else?"

    async def test_model_echoes_if_no_scene_matches(self, tmp_path: Path, clock: InstantClock) -> None:
        path = tmp_path / "script.json"
        path.write_text('[{"when": "time", "steps": [[]]}]')
        model = ScriptedChatModel(clock=clock, script=ScriptFile(path))
        assert "You said: hello" in text_of(await events_of(model, asking("hello")))

    async def test_tool_calls_of_a_step_follow_its_text(self, scripted: ScriptedChatModel) -> None:
        assert await events_of(scripted, asking("time?")) == [
            TextDelta("Let me see. "),
            CALL,
            ToolCall(id="call_2", name="current_time", arguments='{"zone":"UTC"}'),
            ModelFinished(usage=Usage(3, 3), finish_reason="tool_calls"),
        ]

    async def test_step_advances_after_tool_calls_and_the_last_step_repeats(self, scripted: ScriptedChatModel) -> None:
        step = (AssistantMessage("Let me see. ", (CALL,)), ToolResult(call_id="call_1", content="noon"))
        for steps in (1, 2, 5):
            events = await events_of(scripted, asking("time?", *(step * steps)))
            assert text_of(events) == "It is noon; you said time?."

    async def test_tool_calls_of_an_earlier_turn_do_not_count(self, scripted: ScriptedChatModel) -> None:
        step = (AssistantMessage("", (CALL,)), ToolResult(call_id="call_1", content="noon"))
        assert text_of(await events_of(scripted, asking("time?", *step, "time?"))) == "Let me see. "

    async def test_assistant_text_does_not_advance_the_step(self, scripted: ScriptedChatModel) -> None:
        assert text_of(await events_of(scripted, asking("time?", AssistantMessage("Hm.")))) == "Let me see. "

    async def test_tools_that_are_not_offered_are_not_called(self, scripted: ScriptedChatModel) -> None:
        events = await events_of(scripted, asking("time?", tools=()))
        assert events == [TextDelta("Let me see. "), ModelFinished(usage=Usage(3, 3))]

    async def test_pause_lasts_as_long_as_scripted(self, script: Path) -> None:
        clock = ManualClock()
        model = ScriptedChatModel(clock=clock, script=ScriptFile(script))
        events = model.generate(asking("slow"))
        assert await anext(events) == TextDelta("a")
        following = asyncio.ensure_future(anext(events))
        await clock.sleepers()
        clock.advance(1.9)
        await clock.sleepers()
        assert not following.done()
        clock.advance(0.2)
        assert await following == TextDelta("b")
        await events.aclose()

    async def test_pause_past_the_deadline_ends_at_the_deadline(
        self, scripted: ScriptedChatModel, clock: InstantClock
    ) -> None:
        with pytest.raises(ProviderError) as caught:
            await events_of(scripted, asking("slow", deadline=1.5))
        assert (caught.value.kind, clock.waits) == (ProviderFailure.TIMEOUT, [1.5])

    async def test_failure_follows_the_text(self, scripted: ScriptedChatModel) -> None:
        events = scripted.generate(asking("break"))
        assert await anext(events) == TextDelta("Half")
        with pytest.raises(ProviderError) as caught:
            await anext(events)
        assert caught.value.kind is ProviderFailure.OVERLOADED

    async def test_concurrent_conversations_are_independent(self, scripted: ScriptedChatModel) -> None:
        requests = [asking(words) for words in ("time?", "Hello")] * 20
        answers = await asyncio.gather(*(events_of(scripted, request) for request in requests))
        assert [text_of(answer) for answer in answers] == ["Let me see. ", "Anything else?"] * 20


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "truncated"),
        ("{}", "Expected `array`"),
        ('[{"steps": [[{"text": "\udcff"}]]}]', "utf-8"),
        ('[{"steps": []}]', "a scenario has at least one step"),
        ('[{"when": "x"}]', "missing required field `steps`"),
        ('[{"steps": [[]], "then": 1}]', "unknown field `then`"),
        ('[{"steps": [[]], "when": "("}]', "`when` is not a regular expression"),
        ('[{"steps": [[{}]]}]', "an action has exactly one of"),
        ('[{"steps": [[{"text": "a", "pause": 1}]]}]', "an action has exactly one of"),
        ('[{"steps": [[{"text": "a", "arguments": {"b": 1}}]]}]', "an action has exactly one of"),
        ('[{"steps": [[{"pause": -1}]]}]', "an action has exactly one of"),
        ('[{"steps": [[{"fail": "badly"}]]}]', "Invalid enum value 'badly' - at `$[0].steps[0][0].fail`"),
        ('[{"steps": [[{"tool": 7}]]}]', "$[0].steps[0][0].tool"),
    ],
)
def test_invalid_script_is_refused_with_file_and_position(
    tmp_path: Path, clock: InstantClock, script: str, message: str
) -> None:
    path = tmp_path / "script.json"
    path.write_text(script, errors="surrogateescape")
    with pytest.raises(InvalidInputError) as caught:
        ScriptedChatModel(clock=clock, script=ScriptFile(path))
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_missing_script_is_refused(tmp_path: Path, clock: InstantClock) -> None:
    with pytest.raises(InvalidInputError, match="No such file"):
        ScriptedChatModel(clock=clock, script=ScriptFile(tmp_path / "none.json"))


def test_base_url_has_an_origin() -> None:
    assert origin_of(ScriptedChatModel.info.base_url) == "http://scripted.invalid:80"
