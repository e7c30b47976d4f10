import msgspec

from polyant.domain.chat import ModelEvent, ModelFinished, ProviderData, ToolCall
from polyant.testing.received_calls import meaning_of_events

STATE = ProviderData(provider="gemini", model="some-model", data=msgspec.Raw(b"[]"))


def test_opaque_state_of_a_provider_has_no_meaning() -> None:
    """Otherwise the kit would refuse each ChatModel that returns its provider's state."""
    call = ToolCall(id="call_1", name="weather", arguments="{}")
    finished = ModelFinished(finish_reason="length")
    plain: list[ModelEvent] = [call, finished]
    with_state: list[ModelEvent] = [
        msgspec.structs.replace(call, provider_data=STATE),
        msgspec.structs.replace(finished, provider_data=STATE),
    ]
    assert meaning_of_events(with_state, call_ids=True) == meaning_of_events(plain, call_ids=True)
    assert meaning_of_events(plain, call_ids=True)[-1] == finished
