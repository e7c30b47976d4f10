import msgspec

from polyant.adapters.tools.calculate_tool import CalculateTool
from polyant.domain.enabled_tools import EnabledTool, enabled_tools
from polyant.domain.secrets import SecretName
from polyant.testing.factories import InstanceFactory, SealedSecretFactory
from polyant.testing.fakes import Activity, FakeTool

TOKEN, TENANT = SecretName("crm_token"), SecretName("crm_tenant")


async def nothing(_: object, __: object) -> str:
    return ""


def test_each_tool_of_an_instance_has_its_state() -> None:
    crm = FakeTool("crm", nothing, Activity(), secrets=(TOKEN, TENANT))
    secrets = {TENANT: SealedSecretFactory.build(name=TENANT)}
    instance = InstanceFactory.build(tools=("gone", "crm", "calculate"), secrets=secrets)
    gone, lacking, ready = enabled_tools(instance, {"calculate": CalculateTool(), "crm": crm})
    assert gone == EnabledTool(name="gone", installed=False)
    assert lacking == EnabledTool(name="crm", installed=True, missing_secrets=(TOKEN,))
    assert ready == EnabledTool(name="calculate", installed=True)
    assert [tool.ready for tool in (gone, lacking, ready)] == [False, False, True]
    assert [tool.state for tool in (gone, lacking, ready)] == ["not installed", "needs crm_token", "ready"]


def test_tool_with_its_secrets_is_ready() -> None:
    crm = FakeTool("crm", nothing, Activity(), secrets=(TOKEN, TENANT))
    secrets = {name: SealedSecretFactory.build(name=name) for name in (TOKEN, TENANT)}
    instance = InstanceFactory.build(tools=("crm",), secrets=secrets)
    assert [tool.ready for tool in enabled_tools(instance, {"crm": crm})] == [True]


def test_instance_without_tools_has_none() -> None:
    bare = msgspec.structs.replace(InstanceFactory.build(), tools=())
    assert enabled_tools(bare, {"calculate": CalculateTool()}) == ()
