"""The mapping of valid requests to the domain, and the rejection of invalid ones."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyant.domain.chat import AssistantMessage, ChatRequest, ProviderFields, Sampling, Usage, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.users import UserId
from polyant.http.openai.mapping import Completion, chat_completion, decode_request, to_domain, turn_context, usage_out

Json = dict[str, Any]

USER = {"role": "user", "content": "Hi"}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
slugs = st.from_regex(r"\A[a-z0-9]([a-z0-9_.-]{0,126}[a-z0-9])?\Z")
contents = texts | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": texts}), max_size=3)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user", "assistant"]), "content": contents})
    | st.just({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}),
    min_size=1,
    max_size=5,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def between(minimum: float, maximum: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(minimum, maximum)


counts = st.none() | st.integers(1, 2**31)
options = {
    "stream": st.none() | st.booleans(),
    "stream_options": st.none() | st.fixed_dictionaries({}, optional={"include_usage": st.booleans()}),
    "temperature": between(0, 2) | st.sampled_from([0, 1, 2]),
    "top_p": between(0, 1),
    "max_tokens": counts,
    "max_completion_tokens": counts,
    "stop": st.none() | texts | st.lists(texts, max_size=4),
    "seed": st.none() | st.integers(-(2**63), 2**63 - 1),
    "presence_penalty": between(-2, 2),
    "frequency_penalty": between(-2, 2),
    "chat_id": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=128),
    "tools": anything,
    "tool_choice": anything,
    "functions": anything,
    "n": anything,
    "user": anything,
    "metadata": anything,
    "response_format": st.sampled_from([None, {"type": "json_object"}, {"type": "regex", "pattern": "x"}]),
}
valid = st.fixed_dictionaries({"model": slugs, "messages": messages}, optional=options)


def chat_of(body: Json) -> ChatRequest:
    return to_domain(decode_request(msgspec.json.encode(body)))


def error_of(body: bytes) -> str:
    with pytest.raises(InvalidInputError) as caught:
        to_domain(decode_request(body))
    return caught.value.message


def text_in(message: Json) -> str:
    content = message["content"] or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def text_of(message: UserMessage | AssistantMessage) -> str:
    return message.text if isinstance(message, UserMessage) else message.content


def assert_in_order(texts: list[str], whole: str) -> None:
    """Asserts that the text contains all the others, one after the other."""
    at = 0
    for text in texts:
        at = whole.index(text, at) + len(text)


def any_json(value: Any) -> bytes:
    """Returns the value as JSON; lone surrogates become escapes, which msgspec can't encode."""
    return json.dumps(value).encode()


@given(valid)
def test_every_valid_request_is_mapped_without_loss(body: Json) -> None:
    chat = chat_of(body)
    assert chat.model == body["model"]
    assert chat.stream is bool(body.get("stream"))
    passed_on = [*chat.caller_instructions, *map(text_of, chat.messages)]
    assert_in_order(list(filter(str.strip, map(text_in, body["messages"]))), "".join(passed_on))
    assert chat.sampling.max_tokens == (body.get("max_completion_tokens") or body.get("max_tokens"))
    for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
        assert getattr(chat.sampling, name) == body.get(name)


@pytest.mark.parametrize(
    ("given_user", "user"),
    [("user-7", "user-7"), ("é" * 512, "é" * 512), ("x" * 513, None), ("", None), ("a\0", None), (7, None), ({}, None)],
)
def test_user_is_kept_if_it_is_a_string_of_limited_length(given_user: object, user: str | None) -> None:
    body = {"model": "bot", "messages": [{"role": "user", "content": "Hi"}], "user": given_user}
    wire = decode_request(msgspec.json.encode(body))
    assert turn_context(wire, channel="api", request_id="req_1", address="203.0.113.7").caller.user == user


def test_context_describes_the_origin_of_a_request() -> None:
    body = {"model": "bot", "messages": [{"role": "user", "content": "Hi"}], "user": "u", "chat_id": "c"}
    wire = decode_request(msgspec.json.encode(body))
    account = UserId("0f" * 16)
    context = turn_context(wire, channel="playground", request_id="req_1", address="203.0.113.7", account=account)
    caller = Caller(user="u", account=account, address="203.0.113.7")
    assert context == TurnContext(request_id="req_1", channel="playground", caller=caller, chat_id="c")


@given(st.binary(max_size=200) | anything.map(any_json))
@example(b"")
@example(b"\xff")
@example(b'{"a":"\xff"}')
def test_arbitrary_bytes_raise_only_domain_errors(body: bytes) -> None:
    assert error_of(body)


@given(st.fixed_dictionaries({"model": slugs, "messages": messages}, optional=dict.fromkeys(options, anything)))
def test_wrong_value_in_any_field_is_rejected_with_a_message_or_ignored(body: Json) -> None:
    try:
        chat = to_domain(decode_request(any_json(body)))
    except InvalidInputError as error:
        assert error.message  # noqa: PT017 - both outcomes are correct; any other exception fails
    else:
        assert chat.model == body["model"]


TOO_DEEP = b"[" * 20_000 + b"]" * 20_000
VALID = b'"model":"demo-bot","messages":[{"role":"user","content":"Hi"}]'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "The body is empty: send a JSON object"),
        (b"   ", "truncated"),
        (b"{", "truncated"),
        (b"{" + VALID, "truncated"),
        (b"{" + VALID + b"} x", "trailing characters"),
        (b"not json", "JSON is malformed"),
        (b"\xef\xbb\xbf", "The body is empty: send a JSON object"),
        (b"{" + VALID + b"}\xef\xbb\xbf", "trailing characters"),
        (b'{"model":NaN}', "JSON is malformed"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'"text"', "Expected `object`, got `str`"),
        (b"1", "Expected `object`, got `int`"),
        (b"{}", "Object missing required field `model`"),
        (b"\xff", "The body is not valid UTF-8"),
        (b'{"model":"\xff"}', "The body is not valid UTF-8"),
        (b"{" + VALID + b',"user":"\xff"}', "The body is not valid UTF-8"),
        (b"{" + VALID + b',"user":"\xed\xa0\x80"}', "The body is not valid UTF-8"),
        (b'{"messages":' + TOO_DEEP + b"}", "Expected `object`, got `array` - at `$.messages[0]`"),
        (b"{" + VALID + b',"metadata":' + TOO_DEEP + b"}", "The body is nested too deeply"),
        (b"{" + VALID + b',"metadata":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, "The body is nested too deeply"),
        (b'{"model":"a\0b"}', "JSON is malformed"),
        (b"{" + VALID + b',"user":"\0"}', "JSON is malformed"),
    ],
)
def test_body_that_is_not_a_json_object_is_rejected(body: bytes, expected: str) -> None:
    assert expected in error_of(body)


def with_message(**message: Any) -> Json:
    return {"messages": [USER, message]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": None}, "Expected `str`, got `null` - at `$.model`"),
        ({"model": ""}, "model must be a slug"),
        ({"model": "Demo-Bot"}, "- at `$.model`"),
        ({"model": "demo-bot\n"}, "- at `$.model`"),
        ({"model": "demo bot"}, "- at `$.model`"),
        ({"model": "-demo"}, "- at `$.model`"),
        ({"model": "demo."}, "- at `$.model`"),
        ({"model": "dé"}, "- at `$.model`"),
        ({"model": "a" * 129}, "1 to 128 characters"),
        ({"messages": []}, "Expected `array` of length >= 1 - at `$.messages`"),
        ({"messages": None}, "Expected `array`, got `null` - at `$.messages`"),
        ({"messages": "Hi"}, "Expected `array`, got `str` - at `$.messages`"),
        ({"messages": ["Hi"]}, "Expected `object`, got `str` - at `$.messages[0]`"),
        (with_message(content="x"), "Object missing required field `role` - at `$.messages[1]`"),
        (with_message(role="tool", content="x"), "tools run on the server - at `$.messages[1].role`"),
        (with_message(role="function", content="x"), "tools run on the server - at `$.messages[1].role`"),
        (with_message(role="owner", content="x"), "expected system, developer, user or assistant - at `$.messages[1]"),
        (with_message(role="User", content="x"), "Invalid role"),
        (with_message(role="user"), "Expected `str | array`, got `null` - at `$.messages[1].content`"),
        (with_message(role="user", content=None), "got `null` - at `$.messages[1].content`"),
        (with_message(role="system", content=None), "got `null` - at `$.messages[1].content`"),
        (with_message(role="user", content=5), "got `int` - at `$.messages[1].content`"),
        (with_message(role="user", content={"type": "text", "text": "x"}), "got `object`"),
        (with_message(role="user", content=["x"]), "got `str` - at `$.messages[1].content[0]`"),
        (
            with_message(role="assistant", content=[{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]),
            "Image input is not supported by this API - at `$.messages[1].content[0].type`",
        ),
        (
            with_message(role="user", content=[{"type": "text", "text": "x"}, {"type": "input_audio"}]),
            "Content parts of the type `input_audio` are not supported: only text is accepted - at `$.messages[1].co",
        ),
        (with_message(role="user", content=[{"type": "file"}]), "Content parts of the type `file` are not supported"),
        (with_message(role="user", content=[{"type": "refusal", "refusal": "no"}]), "type `refusal` are not supported"),
        (with_message(role="user", content=[{"type": "x" * 65}]), "Content parts of this type are not supported"),
        (with_message(role="user", content=[{"type": "a\nb"}]), "Content parts of this type are not supported"),
        (with_message(role="assistant", content=[{"type": "refusal"}]), "missing required field `refusal`"),
        (with_message(role="assistant", content=None, refusal=5), "at `$.messages[1].refusal`"),
        (with_message(role="assistant", content=None, refusal="\0"), "U+0000 is not allowed in text"),
        (with_message(role="user", content=[{"type": "text"}]), "missing required field `text`"),
        (
            with_message(role="user", content=[{"type": "text", "text": None}]),
            "Expected `str`, got `null` - at `$.messages[1].content[0].text`",
        ),
        (with_message(role="user", content="a\0b"), "U+0000 is not allowed in text - at `$.messages[1].content`"),
        (with_message(role="system", content="\0"), "U+0000 is not allowed in text"),
        (with_message(role="user", content=[{"type": "text", "text": "\0"}]), "U+0000 is not allowed in text"),
        ({"stream": "true"}, "Expected `bool | null`, got `str` - at `$.stream`"),
        ({"stream": 1}, "Expected `bool | null`, got `int` - at `$.stream`"),
        ({"stream_options": True}, "at `$.stream_options`"),
        ({"stream_options": {"include_usage": "yes"}}, "at `$.stream_options.include_usage`"),
        ({"temperature": -0.1}, "Expected `float` >= 0.0 - at `$.temperature`"),
        ({"temperature": 2.1}, "Expected `float` <= 2.0 - at `$.temperature`"),
        ({"temperature": "1"}, "Expected `float | null`, got `str` - at `$.temperature`"),
        ({"temperature": True}, "got `bool` - at `$.temperature`"),
        ({"top_p": 1.1}, "at `$.top_p`"),
        ({"top_p": -1}, "at `$.top_p`"),
        ({"max_tokens": "many"}, "Expected `int | null`, got `str` - at `$.max_tokens`"),
        ({"max_tokens": 0}, "Expected `int` >= 1 - at `$.max_tokens`"),
        ({"max_tokens": 1.5}, "Expected `int | null`, got `float` - at `$.max_tokens`"),
        ({"max_tokens": True}, "Expected `int | null`, got `bool` - at `$.max_tokens`"),
        ({"max_tokens": 0.0}, "Expected `int` >= 1 - at `$.max_tokens`"),
        ({"max_tokens": 1e300}, "Expected `int` <= 9007199254740992 - at `$.max_tokens`"),
        ({"max_tokens": 2**53 + 1}, "Expected `int` <= 9007199254740992 - at `$.max_tokens`"),
        ({"max_tokens": 10**30}, "Expected `int` <= 9007199254740992 - at `$.max_tokens`"),
        ({"max_completion_tokens": 0.5}, "got `float` - at `$.max_completion_tokens`"),
        ({"max_completion_tokens": 0}, "Expected `int` >= 1 - at `$.max_completion_tokens`"),
        ({"presence_penalty": 2.1}, "at `$.presence_penalty`"),
        ({"frequency_penalty": -2.1}, "at `$.frequency_penalty`"),
        ({"seed": 2**63}, "at `$.seed`"),
        ({"seed": 1.5}, "at `$.seed`"),
        ({"seed": 1e19}, "at `$.seed`"),
        ({"response_format": "json"}, "Expected `object | null`, got `str` - at `$.response_format`"),
        ({"response_format": {}}, "Object missing required field `type` - at `$.response_format`"),
        ({"response_format": {"type": 5}}, "Expected `str`, got `int` - at `$.response_format.type`"),
        ({"response_format": {"type": ""}}, "at `$.response_format.type`"),
        ({"reasoning_effort": 5}, "Expected `str | null`, got `int` - at `$.reasoning_effort`"),
        ({"logit_bias": {"1": 101}}, "at `$.logit_bias[...]`"),
        ({"logit_bias": [1]}, "at `$.logit_bias`"),
        ({"verbosity": 5}, "at `$.verbosity`"),
        ({"prompt_cache_key": "x" * 513}, "at `$.prompt_cache_key`"),
        ({"safety_identifier": {}}, "at `$.safety_identifier`"),
        ({"stop": ["a"] * 5}, "Expected `array` of length <= 4 - at `$.stop`"),
        ({"stop": [1]}, "at `$.stop[0]`"),
        ({"stop": 1}, "at `$.stop`"),
        ({"stop": "\0"}, "U+0000 is not allowed in text - at `$.stop`"),
        ({"chat_id": "x" * 129}, "Expected `str` of length <= 128 - at `$.chat_id`"),
        ({"chat_id": 5}, "at `$.chat_id`"),
    ],
)
def test_schema_violation_is_rejected_with_reason_and_path(fields: Json, expected: str) -> None:
    body = {"model": "demo-bot", "messages": [USER], **fields}
    assert expected in error_of(msgspec.json.encode(body))


def test_chat_id_with_a_nul_is_rejected() -> None:
    wire = decode_request(msgspec.json.encode({"model": "bot", "messages": [USER], "chat_id": "a\0"}))
    with pytest.raises(InvalidInputError, match=r"U\+0000 is not allowed in text - at `\$.chat_id`"):
        turn_context(wire, channel="api", request_id="req_1", address="203.0.113.7")


def test_number_beyond_the_range_of_floats_is_rejected() -> None:
    assert "Number out of range" in error_of(b"{" + VALID + b',"temperature":1e999}')


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Sampling()),
        ({"temperature": 0}, Sampling(temperature=0)),
        ({"temperature": 2}, Sampling(temperature=2)),
        ({"temperature": None, "max_tokens": None, "stop": None, "top_p": None, "seed": None}, Sampling()),
        ({"max_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 9}, Sampling(max_tokens=9)),
        ({"max_completion_tokens": 9}, Sampling(max_tokens=9)),
        ({"max_tokens": 5.0, "seed": -7.0}, Sampling(max_tokens=5, seed=-7)),
        ({"max_completion_tokens": 9.0, "max_tokens": 5}, Sampling(max_tokens=9)),
        ({"stop": "END"}, Sampling(stop=("END",))),
        ({"stop": ["a", "b", "c", "d"]}, Sampling(stop=("a", "b", "c", "d"))),
        ({"stop": []}, Sampling()),
        ({"stop": ""}, Sampling()),
        (
            {"top_p": 0.5, "seed": -1, "presence_penalty": -2, "frequency_penalty": 2},
            Sampling(top_p=0.5, seed=-1, presence_penalty=-2, frequency_penalty=2),
        ),
    ],
)
def test_sampling_options_are_mapped(fields: Json, expected: Sampling) -> None:
    assert chat_of({"model": "demo-bot", "messages": [USER], **fields}).sampling == expected


def test_whole_number_may_be_written_as_a_decimal_or_with_an_exponent() -> None:
    chat = to_domain(decode_request(b"{" + VALID + b',"max_tokens":1e2,"seed":5.0}'))
    sampling = chat.sampling
    assert (sampling.max_tokens, sampling.seed) == (100, 5)
    assert {type(sampling.max_tokens), type(sampling.seed)} == {int}


def test_body_may_begin_with_a_byte_order_mark() -> None:
    chat = to_domain(decode_request(b"\xef\xbb\xbf{" + VALID + b"}"))
    assert chat.messages == (UserMessage.of("Hi"),)


def test_fields_for_the_provider_are_mapped() -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    fields = {
        "response_format": response_format,
        "reasoning_effort": "low",
        "logit_bias": {"50256": -100, "7": 2.0, "8": 0.5},
        "verbosity": "high",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
    }
    found = chat_of({"model": "a", "messages": [USER], **fields}).provider_fields
    assert found == ProviderFields(
        response_format=msgspec.Raw(msgspec.json.encode(response_format)),
        reasoning_effort="low",
        logit_bias={"50256": -100, "7": 2, "8": 0.5},
        verbosity="high",
        prompt_cache_key="k",
        safety_identifier="s",
        user="u",
    )
    assert [type(bias) for bias in (found.logit_bias or {}).values()] == [int, int, float]


def test_null_means_that_the_provider_gets_nothing() -> None:
    names = ("response_format", "reasoning_effort", "logit_bias", "verbosity", "prompt_cache_key", "safety_identifier")
    body = {"model": "a", "messages": [USER], "user": None, **dict.fromkeys(names)}
    assert chat_of(body).provider_fields == ProviderFields()


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "a" * 128},
        {"stream": None},
        {"chat_id": "x" * 128},
        {"chat_id": None},
        {"stream_options": None},
        {"stream_options": {"include_usage": None}},
    ],
)
def test_boundary_values_are_allowed(fields: Json) -> None:
    body = {"model": "demo-bot", "messages": [USER], **fields}
    assert chat_of(body) == ChatRequest(model=Slug(body["model"]), messages=(UserMessage.of("Hi"),))


def test_conversation_without_a_user_message_is_mapped_unchanged() -> None:
    chat = chat_of({"model": "a", "messages": [{"role": "system", "content": "Be brief."}]})
    assert (chat.messages, chat.caller_instructions) == ((), ("Be brief.",))


def test_whole_response_has_openais_keys_in_openais_order() -> None:
    completion = Completion(id="chatcmpl-1", created=17, slug=Slug("demo-bot"))
    usage = usage_out(Usage(7, 5), report=True)
    assert msgspec.json.encode(chat_completion(completion, "Hé", usage)).decode() == (
        '{"id":"chatcmpl-1","object":"chat.completion","created":17,"model":"demo-bot",'
        '"choices":[{"index":0,"message":{"role":"assistant","content":"Hé"},"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}'
    )


def test_usage_is_zero_unless_reporting_is_enabled() -> None:
    shown = usage_out(Usage(7, 5), report=False)
    assert (shown.prompt_tokens, shown.completion_tokens, shown.total_tokens) == (0, 0, 0)
