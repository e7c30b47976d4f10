from polyant.domain.mcp_servers import McpServer
from polyant.domain.secret_states import SecretState, missing_secrets, secret_states
from polyant.domain.secrets import AUTH_API_KEY, SecretName
from polyant.testing.factories import InstanceFactory, SealedSecretFactory
from support.harness import ECHO, VENDOR
from support.management import LookUpTool

PROVIDERS = {"echo": ECHO, "vendor": VENDOR}
TOOLS = {"look_up": LookUpTool()}
OLD = SecretName("an_old_one")


def test_stored_and_usable_secrets_are_listed_by_name() -> None:
    stored = SealedSecretFactory.build(name=OLD, origin="https://x.example:443", fingerprint=None)
    server = McpServer(name="crm", url="https://crm.example", headers={"X-Tenant": SecretName("crm_tenant")})
    instance = InstanceFactory.build(
        provider="vendor", tools=("look_up", "gone"), mcp_servers=(server,), secrets={OLD: stored}
    )
    states = secret_states(instance, PROVIDERS, TOOLS)
    assert [state.name for state in states] == [OLD, AUTH_API_KEY, "crm_tenant", "crm_token", "vendor_api_key"]
    assert [state.configured for state in states] == [True, False, False, False, False]
    assert states[0] == SecretState(
        name=OLD, configured=True, updated_at=stored.updated_at, origin="https://x.example:443", expires_at=None
    )
    assert missing_secrets(instance, PROVIDERS, TOOLS) == (AUTH_API_KEY, "crm_tenant", "crm_token", "vendor_api_key")


def test_keyless_or_unknown_provider_needs_no_secret() -> None:
    for provider in ("echo", "gone"):
        instance = InstanceFactory.build(provider=provider, tools=(), mcp_servers=(), secrets={})
        assert missing_secrets(instance, PROVIDERS, TOOLS) == (AUTH_API_KEY,)


def test_states_do_not_contain_values() -> None:
    secret = SealedSecretFactory.build()
    instance = InstanceFactory.build(secrets={AUTH_API_KEY: secret})
    told = repr(secret_states(instance, PROVIDERS, TOOLS))
    assert secret.sealed not in told
    assert str(secret.fingerprint) not in told
