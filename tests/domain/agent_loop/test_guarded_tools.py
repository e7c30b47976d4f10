"""The model gets a result from every tool call, even a failed one."""

import asyncio
import logging
import re
from typing import Annotated, Any

import msgspec
import pytest

from polyant.domain.agent_loop.guarded_tools import GuardedTools
from polyant.domain.chat import ToolCall, ToolResult
from polyant.domain.secrets import SecretName
from polyant.domain.tool_access import offer
from polyant.domain.tools import ToolContext, ToolError
from polyant.testing.fakes import FakeTool
from polyant.testing.tool import no_sub_agent
from support.logs import collected, fields_of
from support.tool_loop import ToolLoop

SECRET = "secret-0123456789"
TOKEN = SecretName("crm_token")


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    city: Annotated[str, msgspec.Meta(max_length=10)] = "Rome"


async def result_of(loop: ToolLoop, play: Any, written: str = "{}", **more: Any) -> ToolResult:
    """Returns the result of a call of a fake tool."""
    tool = offer(FakeTool("tool", play, loop.activity, **more))
    tools = GuardedTools(loop.turn, [tool], loop.cipher)
    call = ToolCall(id="1", name="tool", arguments=written)
    return await tools.run(call, deadline=1.0, delegate=no_sub_agent)


async def show(arguments: object, _: ToolContext) -> str:
    return repr(arguments)


def raises(error: BaseException) -> Any:
    async def play(_: object, __: ToolContext) -> str:
        raise error

    return play


async def test_tool_receives_its_arguments_as_a_struct(loop: ToolLoop) -> None:
    result = await result_of(loop, show, '{"city":"Zürich"}', arguments=Place)
    assert result == ToolResult(call_id="1", content="Place(city='Zürich')")


async def test_tool_receives_its_instance_options(loop: ToolLoop) -> None:
    async def show_options(_: object, context: ToolContext) -> str:
        return repr(context.options)

    assert (await result_of(loop, show_options)).content == "{}"
    loop.instance = msgspec.structs.replace(loop.instance, options={"tool": {"level": 1}, "other": {"level": 2}})
    assert (await result_of(loop, show_options)).content == "{'level': 1}"


@pytest.mark.parametrize("arguments", ["", " \n", "null", "{}"])
async def test_empty_arguments_may_be_written_in_several_ways(loop: ToolLoop, arguments: str) -> None:
    assert (await result_of(loop, show, arguments, arguments=Place)).content == "Place(city='Rome')"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('{"city":5}', r"Expected `str`, got `int` - at `\$.city`"),
        ('{"city":"Constantinople"}', "length <= 10"),
        ('{"town":"Rome"}', "unknown field `town`"),
        ('{"city":"Ro', "truncated"),
        ("[]", "Expected `object`"),
        ("[" * 100_000, "don't match"),
        ('{"city":"\ud800"}', "don't match"),
    ],
)
async def test_invalid_arguments_are_refused_with_the_reason(loop: ToolLoop, arguments: str, message: str) -> None:
    result = await result_of(loop, show, arguments, arguments=Place)
    assert result.is_error
    assert re.search(message, result.content)


async def test_unknown_tool_gets_a_list_of_the_available_ones(loop: ToolLoop) -> None:
    tools = GuardedTools(loop.turn, [offer(loop.tools["answer"]), offer(loop.tools["fail"])], loop.cipher)
    call = ToolCall(id="1", name="weather", arguments="{}")
    result = await tools.run(call, deadline=1.0, delegate=no_sub_agent)
    assert result == ToolResult(
        call_id="1", content="There is no tool 'weather'. There are: answer, fail.", is_error=True
    )


async def test_tool_error_is_passed_to_the_model(loop: ToolLoop) -> None:
    result = await result_of(loop, raises(ToolError("No such city: use its English name")))
    assert result == ToolResult(call_id="1", content="No such city: use its English name", is_error=True)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"with the key {SECRET}"),
        SystemExit(3),
        asyncio.CancelledError(),
        BaseExceptionGroup("several", [SystemExit(1)]),
        RecursionError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_unexpected_error_is_hidden_from_the_model_and_logged(loop: ToolLoop, error: BaseException) -> None:
    with collected("polyant.turn") as records:
        result = await result_of(loop, raises(error))
    assert result == ToolResult(
        call_id="1", content="The tool tool failed. Try it in another way, or do without it.", is_error=True
    )
    fields = fields_of(records[0])
    assert (fields["tool"], fields["error"]) == ("tool", type(error).__name__)
    assert fields["at"].partition(":")[0] == __file__
    assert SECRET not in f"{records[0].getMessage()} {fields}"


async def test_keyboard_interrupt_is_raised(loop: ToolLoop) -> None:
    with pytest.raises(KeyboardInterrupt):
        await result_of(loop, raises(KeyboardInterrupt()))


@pytest.mark.parametrize("result", [None, b"bytes", {"a": 1}, 42])
async def test_non_text_result_is_a_failure(loop: ToolLoop, result: object) -> None:
    async def play(_: object, __: ToolContext) -> Any:
        return result

    assert (await result_of(loop, play)).is_error


async def test_result_is_made_encodable_as_utf_8(loop: ToolLoop) -> None:
    async def play(_: object, __: ToolContext) -> str:
        return "half a \ud83d pair"

    assert (await result_of(loop, play)).content == "half a ? pair"


# Secrets


async def test_tool_receives_only_the_secrets_it_declares(loop: ToolLoop) -> None:
    loop.set_secret(TOKEN, SECRET)
    given: dict[SecretName, str] = {}

    async def play(_: object, context: ToolContext) -> str:
        given.update({name: secret.reveal() for name, secret in context.secrets.items()})
        return "done"

    await result_of(loop, play, secrets=(TOKEN,))
    assert given == {TOKEN: SECRET}


@pytest.mark.parametrize("raising", [False, True])
async def test_secret_in_a_result_or_an_error_is_replaced_by_its_name(loop: ToolLoop, *, raising: bool) -> None:
    loop.set_secret(TOKEN, SECRET)

    async def play(_: object, context: ToolContext) -> str:
        text = f"403 for Bearer {context.secrets[TOKEN].reveal()}!"
        if raising:
            raise ToolError(text)
        return text

    result = await result_of(loop, play, secrets=(TOKEN,))
    assert (result.content, result.is_error) == ("403 for Bearer [crm_token]!", raising)


async def test_undecryptable_secret_fails_the_call(loop: ToolLoop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loop.set_secret(TOKEN, SECRET)
    broken = msgspec.structs.replace(loop.instance.secrets[TOKEN], sealed="v1:nonsense")
    loop.instance = msgspec.structs.replace(loop.instance, secrets={TOKEN: broken})
    result = await result_of(loop, show, secrets=(TOKEN,))
    assert result.is_error
    assert "nonsense" not in f"{result.content} {caplog.text}"


async def test_context_names_the_instance_and_the_deadline(loop: ToolLoop) -> None:
    async def play(_: object, context: ToolContext) -> str:
        return f"{context.slug} {context.deadline}"

    assert (await result_of(loop, play)).content == f"{loop.instance.slug} 1.0"
