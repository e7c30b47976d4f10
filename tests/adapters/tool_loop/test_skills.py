"""Skills in turns: the model sees their list, and reads them with `read_skill`."""

import msgspec
import pytest

from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.tools.spawn_task_tool import SpawnTaskTool
from polyant.domain.chat import ModelRequest, ToolCall, ToolFinished, ToolResult
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import InstanceId
from polyant.domain.prompts import SectionKey
from polyant.domain.skills import SkillContent, SkillFile
from polyant.testing.fakes import FakeStep
from polyant.testing.skill_files import content_of_skill
from polyant.testing.supervisor_events import text_in
from support.tool_loop import ToolLoop

RETURNS = content_of_skill()
BARE = SkillContent(name="bare", description="Without files", instructions="Do it.")
LONG = SkillContent(
    name="long", description="Long", instructions="é" * 32_760, files=(SkillFile(path="more.md", content="More."),)
)


def reads(*arguments: str) -> FakeStep:
    calls = [ToolCall(id=f"c{n}", name="read_skill", arguments=each) for n, each in enumerate(arguments)]
    return FakeStep(calls=tuple(calls))


async def results(loop: ToolLoop, *arguments: str) -> list[tuple[str, bool]]:
    """Returns the results of calls of `read_skill`, and whether each is an error."""

    def play(request: ModelRequest) -> FakeStep:
        return FakeStep(text=("Done.",)) if len(request.messages) > 1 else reads(*arguments)

    _, requests = await loop.run(play)
    found = [message for message in requests[-1].messages if isinstance(message, ToolResult)]
    return [(result.content, result.is_error) for result in found]


@pytest.fixture
def loop(loop: ToolLoop) -> ToolLoop:
    loop.add_skills(BARE, LONG, RETURNS)
    return loop


async def test_model_reads_a_skill_and_answers(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        if len(request.messages) == 1:
            return reads('{"name":"returns"}')
        (result,) = (message for message in request.messages if isinstance(message, ToolResult))
        return FakeStep(text=(result.content.splitlines()[2],))

    events, requests = await loop.run(play)
    assert text_in(events) == "Ask for the order."
    assert [(event.name, event.ok) for event in events if isinstance(event, ToolFinished)] == [("read_skill", True)]
    assert requests[0].tools[0].name == "read_skill"
    assert "- returns: How returns work" in requests[0].system


async def test_instructions_name_the_other_files(loop: ToolLoop) -> None:
    ((text, is_error),) = await results(loop, '{"name":"returns"}')
    assert not is_error
    assert text == (
        f"{RETURNS.instructions}\n\n"
        "Other files of this skill, which this tool reads, too:\n\n"
        "- Zoo\n- notes/Größe und 中.md\n- run (a script: not executable here)\n"
        "- scripts/check.py (a script: not executable here)"
    )


async def test_files_are_read_and_scripts_are_marked(loop: ToolLoop) -> None:
    found = await results(
        loop,
        '{"name":"returns","file":"notes/Größe und 中.md"}',
        '{"name":"returns","file":"scripts/check.py"}',
        '{"name":"returns","file":"SKILL.md"}',
        '{"name":"bare","file":null}',
        '{"name":"bare","file":""}',
    )
    assert [is_error for _, is_error in found] == [False] * 5
    notes, script, instructions, bare, blank = (text for text, _ in found)
    assert notes == RETURNS.files[1].content
    assert script == f"[This is a script. It can't be executed here, only read.]\n\n{RETURNS.files[0].content}"
    assert instructions.startswith(RETURNS.instructions)
    assert bare == blank == BARE.instructions


async def test_long_instructions_are_whole(loop: ToolLoop) -> None:
    """The list of files is left out rather than the end of the instructions."""
    ((text, _),) = await results(loop, '{"name":"long"}')
    assert text == LONG.instructions


async def test_wrong_calls_explain_what_there_is(loop: ToolLoop) -> None:
    found = await results(
        loop,
        '{"name":"refunds"}',
        '{"name":"returns","file":"../bare/SKILL.md"}',
        '{"name":"bare","file":"x"}',
        "",
        '{"name":5}',
        '{"name":"bare","path":"x"}',
    )
    assert [is_error for _, is_error in found] == [True] * 6
    unknown, outside, none, empty, number, field = (text for text, _ in found)
    assert unknown == "There is no skill 'refunds'. There are: bare, long, returns."
    assert outside == (
        "The skill returns has no file '../bare/SKILL.md'. "
        "Its other files are: Zoo, notes/Größe und 中.md, run, scripts/check.py."
    )
    assert none == "The skill bare has no file 'x'. Its other files are: none."
    assert all("don't match the tool's schema" in text for text in (empty, number, field))


async def test_skill_that_was_changed_meanwhile_is_an_error(loop: ToolLoop) -> None:
    loop.memory.skill_files.clear()
    assert await results(loop, '{"name":"bare"}') == [("The skill bare was just changed or deleted.", True)]


async def test_outage_is_an_error_of_the_call(loop: ToolLoop) -> None:
    class Lost(MemorySkillFiles):
        async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
            raise StorageUnavailableError

    loop.skill_files = Lost()
    assert await results(loop, '{"name":"bare"}') == [("The skill can't be read right now.", True)]


async def test_instance_without_skills_has_no_such_tool(loop: ToolLoop) -> None:
    loop.add_skills()
    _, (request,) = await loop.run([FakeStep(text=("Hi.",))])
    assert "read_skill" not in [spec.name for spec in request.tools]
    assert "read_skill" not in request.system


async def test_sub_agents_read_skills_too(loop: ToolLoop) -> None:
    loop.tools["spawn_task"] = SpawnTaskTool()
    loop.instance = msgspec.structs.replace(loop.instance, tools=(*loop.instance.tools, "spawn_task"))

    def play(request: ModelRequest) -> FakeStep:
        found = [message.content for message in request.messages if isinstance(message, ToolResult)]
        if "You work on one task" in request.system:
            return FakeStep(text=(found[0],)) if found else reads('{"name":"bare"}')
        spawns = ToolCall(id="s", name="spawn_task", arguments='{"task":"Use the skill bare."}')
        return FakeStep(text=(found[0],)) if found else FakeStep(calls=(spawns,))

    events, requests = await loop.run(play)
    assert text_in(events) == BARE.instructions
    assert "- bare: Without files" in requests[1].system


async def test_skills_come_before_other_tools_of_the_same_name(loop: ToolLoop) -> None:
    loop.add_tool("read_skill", lambda *_: None)
    _, (request,) = await loop.run([FakeStep(text=("Hi.",))])
    names = [spec.name for spec in request.tools]
    assert names.count("read_skill") == 1
    assert request.tools[0].description.startswith("Returns the instructions of a skill")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "",
            "read the skill with the tool read_skill, then follow it:\n\n- bare: Without files\n",
        ),
        ("# Skills\n\nMine:\n{{skillsList}}\nEnd", "# Skills\n\nMine:\n- bare: Without files\n"),
        ("# Recipes of my own\n", "# Recipes of my own\n\n- bare: Without files\n"),
    ],
    ids=["empty", "with the variable", "without the variable"],
)
async def test_list_is_in_the_section_of_skills(loop: ToolLoop, section: str, expected: str) -> None:
    sections = {SectionKey.SKILLS: section, SectionKey.MEMORY: "{{skillsList}}"}
    loop.instance = msgspec.structs.replace(loop.instance, sections=sections)
    _, (request,) = await loop.run([FakeStep(text=("Hi.",))])
    assert expected in request.system
    assert request.system.count("- bare: Without files") == 1
    assert request.system.endswith("{{skillsList}}")  # other sections don't have the variable
