"""Rules for the arguments of every built-in tool."""

import msgspec
import pytest

from polyant.adapters.tools.calculate_tool import Calculate
from polyant.adapters.tools.current_time_tool import CurrentTime
from polyant.adapters.tools.http_call import HttpRequest
from polyant.adapters.tools.spawn_task_tool import SpawnTask

every_tool = pytest.mark.parametrize("arguments", [Calculate, CurrentTime, HttpRequest, SpawnTask])


@every_tool
def test_each_argument_has_a_description(arguments: type[msgspec.Struct]) -> None:
    schema = msgspec.json.schema(arguments)["$defs"][arguments.__name__]
    assert all(argument.get("description") for argument in schema["properties"].values())


@every_tool
def test_unknown_argument_is_refused(arguments: type[msgspec.Struct]) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `nonsense`"):
        msgspec.json.decode(b'{"nonsense":1}', type=arguments)
