"""The parts of the panel for the application, which imports this module only if the panel is on."""

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.catalog import Catalog
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.injectables import PublicUrl
from polyant.domain.limits import RateLimit, TurnBudget
from polyant.domain.ports.clock import Clock
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_providers import CheckProviders
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters
from polyant.domain.use_cases.list_instances import ListInstances
from polyant.domain.use_cases.set_skill import SetSkill
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_provider_turns import ShowProviderTurns
from polyant.domain.use_cases.show_skill import ShowSkill
from polyant.http.first_password import FirstPassword
from polyant.http.injection import Instances
from polyant.http.management.authentication import SessionGate
from polyant.http.panel.channel_pages import ChannelPages
from polyant.http.panel.options import OptionsPages
from polyant.http.panel.pages import Panel
from polyant.http.panel.settings import SettingsPages
from polyant.http.panel.skill_pages import SkillPages
from polyant.http.panel.status import ServerFacts, StatusPages


async def panel_instances(
    panel: Panel,
    instances: Instances,
    *,
    rate_limit: RateLimit | None,
    trusted_hops: int,
    metrics: bool,
) -> list[object]:
    """Returns the instances that the panel's pages use, the panel included."""
    catalog = await instances.get(Catalog)
    facts = ServerFacts(
        started=panel.clock.monotonic(), rate_limit=rate_limit, trusted_hops=trusted_hops, metrics=metrics
    )
    status = StatusPages(
        facts=facts,
        clock=panel.clock,
        turns=await instances.get(RunningTurns),
        catalog=catalog,
        provider_keys=await instances.get(ProviderKeys),
        check_providers=await instances.get(CheckProviders),
        list_instances=await instances.get(ListInstances),
        show_provider_turns=await instances.get(ShowProviderTurns),
    )
    show_instance = await instances.get(ShowInstance)
    adapter_options = await instances.get(AdapterOptions)
    channels = ChannelPages(
        show_instance=show_instance,
        channels=await instances.get(ChannelRegistry),
        list_channels=await instances.get(ListChannels),
        letters=await instances.get(ListDeadLetters),
        public_url=await instances.get(PublicUrl),
    )
    settings = SettingsPages(
        catalog=catalog,
        options=adapter_options,
        budget=await instances.get(TurnBudget),
        provider_keys=await instances.get(ProviderKeys),
    )
    options = OptionsPages(show_instance=show_instance, options=adapter_options, catalog=catalog)
    skills = SkillPages(
        show_instance=show_instance,
        show_skill=await instances.get(ShowSkill),
        set_skill=await instances.get(SetSkill),
    )
    return [panel, channels, settings, options, skills, status]


async def open_panel(
    gate: SessionGate,
    instances: Instances,
    *,
    exposed: bool,
    public_url: str | None,
    max_form_bytes: int,
    first_password: FirstPassword | None,
) -> Panel:
    """Returns the parts of the server that the pages use."""
    return Panel(
        gate=gate,
        clock=await instances.get(Clock),
        exposed=exposed,
        public_url=public_url,
        max_form_bytes=max_form_bytes,
        first_password=first_password,
    )
