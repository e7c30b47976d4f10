"""Checks the active instances."""

from collections.abc import AsyncIterator, Mapping

import msgspec

from polyant.cli.context import CliContext
from polyant.cli.doctor.check import Check, run_checks
from polyant.cli.doctor.finding import Finding, fault, faults_of, ok, warning
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.errors import PolyantError
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.tool import Tool
from polyant.domain.prompts import frequent_change
from polyant.domain.provider_keys import ProviderKeys, base_url_of
from polyant.domain.secrets import CALLER_KEYS, MIN_CALLER_KEY_CHARACTERS
from polyant.domain.urls import origin_of


class InstanceContext(msgspec.Struct, frozen=True):
    """One instance and the data that it belongs to."""

    context: CliContext
    instance: Instance

    @property
    def about(self) -> str:
        """The subject of findings."""
        return f"instance {self.instance.slug}"


async def active_instances(context: CliContext) -> AsyncIterator[Instance]:
    """Yields the active instances."""
    repo = await context.get(InstanceRepo)
    for summary in (await repo.list(InstanceQuery(status=InstanceStatus.ACTIVE))).instances:
        instance = await repo.get(summary.slug)
        if instance is not None:
            yield instance


async def check_count(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether there are instances."""
    total = (await (await context.get(InstanceRepo)).list(InstanceQuery(limit=1))).total
    if total:
        yield ok("instances", f"{total} stored")
    else:
        yield warning("instances", "0 stored", fix="Create one with `polyant instances create SLUG`")


async def check_each(context: CliContext) -> AsyncIterator[Finding]:
    """Yields the findings of `INSTANCE_CHECKS` for each active instance."""
    async for instance in active_instances(context):
        findings: list[Finding] = []
        await run_checks(INSTANCE_CHECKS, InstanceContext(context, instance), findings)
        for finding in findings:
            yield finding


async def _check_secrets(subject: InstanceContext) -> AsyncIterator[Finding]:
    """Yields a fault for each secret that can't be decrypted, and a warning for each key that can be guessed."""
    cipher = await subject.context.get(SecretCipher)
    for secret in subject.instance.secrets.values():
        try:
            value = await cipher.open(secret.sealed, subject.instance.address_of(secret))
        except PolyantError as error:
            for finding in faults_of(subject.about, error):
                yield msgspec.structs.replace(finding, description=f"{secret.name}: {finding.description}")
        else:
            if secret.name in CALLER_KEYS and len(value.reveal()) < MIN_CALLER_KEY_CHARACTERS:
                problem = f"{secret.name} has fewer than {MIN_CALLER_KEY_CHARACTERS} characters and can be guessed"
                yield warning(subject.about, problem, fix=f"Run `polyant keys issue {subject.instance.slug}`")


async def _check_auth(subject: InstanceContext) -> AsyncIterator[Finding]:
    """Yields a warning if the instance rejects every request."""
    instance = subject.instance
    if instance.auth_enabled and not instance.has_auth_key:
        fix = f"Run `polyant keys issue {instance.slug}`"
        yield warning(subject.about, "requires an API key but has none", fix=fix)


async def _check_provider(subject: InstanceContext) -> AsyncIterator[Finding]:
    """Yields a fault if the instance's provider is disabled or has no key."""
    instance = subject.instance
    model = (await subject.context.get(Mapping[str, ChatModel])).get(instance.provider)
    if model is None:
        problem = f"its provider {instance.provider} is not enabled"
        yield fault(subject.about, problem, fix=f"Add {instance.provider} to CHAT_MODELS")
        return
    keys = await subject.context.get(ProviderKeys)
    try:
        await keys.key_for(instance, model.info)
    except PolyantError as error:
        for finding in faults_of(subject.about, error):
            yield finding
    fix = keys.withheld_key_fix(instance, model.info)
    if fix is not None:
        problem = (
            f"the server's key for {instance.provider} isn't sent to {origin_of(base_url_of(instance, model.info))}"
        )
        yield warning(subject.about, problem, fix=fix)


async def _check_options(subject: InstanceContext) -> AsyncIterator[Finding]:
    """Yields a fault for each adapter of the instance that refuses its stored options."""
    instance, options = subject.instance, await subject.context.get(AdapterOptions)
    providers = await subject.context.get(Mapping[str, ChatModel])
    for adapter in options.used_by(instance, providers=providers, tools=await subject.context.get(Mapping[str, Tool])):
        reason = options.refusal(adapter, instance.options.get(adapter, {}))
        if reason is not None:
            fix = f"Correct them with `polyant instances update {instance.slug} --options {adapter} JSON`"
            yield fault(subject.about, f"its options for {adapter} are invalid: {reason}", fix=fix)


async def _check_prompt(subject: InstanceContext) -> AsyncIterator[Finding]:
    """Yields a warning if the prompt changes so often that no provider can cache it."""
    notice = frequent_change(subject.instance.sections)
    if notice is not None:
        problem, _, fix = notice.partition(": ")
        yield warning(subject.about, problem, fix=f"{fix[:1].upper()}{fix[1:]}")


INSTANCE_CHECKS: tuple[Check[InstanceContext], ...] = (
    Check("instances", _check_secrets),
    Check("instances", _check_auth),
    Check("instances", _check_provider),
    Check("instances", _check_options),
    Check("instances", _check_prompt),
)
"""The checks of each active instance."""
