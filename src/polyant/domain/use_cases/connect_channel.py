"""Use case: connect an instance to an account of a chat platform."""

from collections.abc import Collection, Mapping

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.channel_info import AccountState, ChannelInfo, Credential, SetUp
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelAccount,
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    ConnectionExistsError,
    ConnectionId,
    ConnectionState,
    Delivery,
    check_connection,
)
from polyant.domain.errors import ConflictError, InvalidInputError, PolyantError
from polyant.domain.injectables import PublicUrl
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.channel import Channel
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import API_KEY_PREFIX, SecretName, SecretText, parse_secret_name, parse_secret_value
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.versioned_edit import check_version

_ID_CHARACTERS = 22


class NewConnection(msgspec.Struct, frozen=True, kw_only=True):
    """The choices for a connection; None keeps an existing connection's choice, or takes the default."""

    channel: ChannelName
    credentials: Mapping[str, str] = {}
    """The values that an operator enters, by the names in the ChannelInfo; missing ones keep their values."""
    options: Mapping[str, str] = {}
    """The options to change; an empty value removes one."""
    delivery: Delivery | None = None
    access: ChannelAccess | None = None
    users: frozenset[str] | None = None
    burst: BurstPolicy | None = None
    ambiguous_sends: AmbiguousSends | None = None

    def __repr__(self) -> str:
        """Returns a representation without credentials."""
        return f"NewConnection(channel={self.channel!r})"


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A stored connection, and the platform's description of the account."""

    connection: ChannelConnection
    account: AccountState


class ConnectChannel:
    """Checks the credentials with the platform, stores them, and lets events arrive.

    Connecting again replaces the given credentials and choices, and activates a paused connection.
    """

    def __init__(
        self,
        *,
        show_instance: ShowInstance,
        connections: ChannelConnections,
        channels: ChannelRegistry,
        set_secret: SetSecret,
        cipher: SecretCipher,
        tokens: TokenSource,
        clock: Clock,
        public_url: PublicUrl,
    ) -> None:
        self._show_instance = show_instance
        self._connections = connections
        self._channels = channels
        self._set_secret = set_secret
        self._cipher = cipher
        self._tokens = tokens
        self._clock = clock
        self._public_url = public_url

    async def credentials(
        self, slug: Slug, channel: ChannelName, delivery: Delivery | None = None
    ) -> tuple[tuple[Credential, bool], ...]:
        """Returns the credentials that an operator enters, each with whether the instance has a value already.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownChannelError: No enabled channel has that name.
            InvalidInputError: The channel doesn't support the delivery, or it needs a public address.
        """
        instance = await self._show_instance(slug)
        info = (await self._channels.get(channel)).info
        stored = await self._stored(instance, channel)
        needed = needed_credentials(info, self._delivery(info, delivery or self._stored_delivery(stored)))
        return tuple((each, secret_name(info.name, each) in instance.secrets) for each in needed if not each.generated)

    async def __call__(
        self, slug: Slug, new: NewConnection, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Connected:
        """Returns the connection once the platform delivers its events here.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownChannelError: No enabled channel has that name.
            InvalidInputError: A choice or a credential is invalid or missing, or the platform refuses it.
            ConflictError: The account belongs to another connection, or the connection has another account.
            ConnectionChangedError: The connection has none of the expected versions.
            ChannelUnreachableError: The platform doesn't respond; nothing is stored.
        """
        instance = await self._show_instance(slug)
        channel = await self._channels.get(new.channel)
        stored = await self._stored(instance, new.channel)
        if stored is not None:
            check_version(stored, expected_versions, lambda _: ConnectionChangedError())
        elif expected_versions is not None:
            raise ConnectionChangedError
        draft = check_connection(self._draft(instance, channel.info, new, stored))
        values = await self._values(instance, channel.info, new, draft.delivery)
        state = await channel.check(ChannelAccount(connection=draft, credentials=values))
        draft = self._with_account(draft, state, stored)
        await self._require_free(draft, stored)
        return await self._store(channel, draft, values, stored=stored, by=by)

    async def _stored(self, instance: Instance, channel: ChannelName) -> ChannelConnection | None:
        found = await self._connections.list(instance_id=instance.id, channel=channel)
        return found[0] if found else None

    def _draft(
        self, instance: Instance, info: ChannelInfo, new: NewConnection, stored: ChannelConnection | None
    ) -> ChannelConnection:
        delivery = self._delivery(info, new.delivery or self._stored_delivery(stored))
        access = new.access or (stored.access if stored is not None else ChannelAccess(info.access))
        if access not in info.accesses:
            raise InvalidInputError(f"{info.label} doesn't support the access {access}: use {_listed(info.accesses)}")
        now, options = self._clock.now(), _options_of(info, new.options, {} if stored is None else stored.options)
        base = stored or ChannelConnection(
            id=ConnectionId(self._random()[:_ID_CHARACTERS]),
            channel=new.channel,
            account="new",
            instance_id=instance.id,
            slug=instance.slug,
            delivery=delivery,
            access=access,
            created_at=now,
            updated_at=now,
        )
        return msgspec.structs.replace(
            base,
            delivery=delivery,
            access=access,
            options=options,
            credentials=_secret_names(info, delivery),
            users=base.users if new.users is None else new.users,
            burst=new.burst or base.burst,
            ambiguous_sends=new.ambiguous_sends or base.ambiguous_sends,
            state=ConnectionState.ACTIVE,
            updated_at=now,
        )

    def _stored_delivery(self, stored: ChannelConnection | None) -> Delivery | None:
        if stored is None or (not stored.has_account and not self._public_url):  # it was chosen on another server
            return None
        return stored.delivery

    def _delivery(self, info: ChannelInfo, wanted: Delivery | None) -> Delivery:
        if wanted is None:
            can_push = bool(self._public_url) and Delivery.WEBHOOK in info.deliveries
            wanted = Delivery.WEBHOOK if can_push or Delivery.PULL not in info.deliveries else Delivery.PULL
        if wanted not in info.deliveries:
            raise InvalidInputError(f"{info.label} doesn't support {wanted}: use {_listed(info.deliveries)}")
        if wanted is Delivery.WEBHOOK and not self._public_url:
            raise InvalidInputError(
                f"{info.label} needs an address of this server that the internet reaches",
                hint="Set PUBLIC_URL to the server's https address",
            )
        return wanted

    async def _values(
        self, instance: Instance, info: ChannelInfo, new: NewConnection, delivery: Delivery
    ) -> dict[str, SecretText]:
        """Returns all credentials that the delivery needs: given, stored or generated ones."""
        known = {each.name for each in info.credentials if not each.generated}
        if unknown := sorted({*new.credentials} - known):
            raise InvalidInputError(f"{info.label} has no credential {unknown[0]}: it has {_listed(sorted(known))}")
        values: dict[str, SecretText] = {}
        for credential in needed_credentials(info, delivery):
            secret = secret_name(info.name, credential)
            if credential.name in new.credentials:
                values[credential.name] = parse_secret_value(secret, new.credentials[credential.name])
            elif secret in instance.secrets:
                stored = instance.secrets[secret]
                values[credential.name] = await self._cipher.open(stored.sealed, instance.address_of(stored))
            elif credential.generated:
                values[credential.name] = SecretText(self._random())
            elif credential.required:
                raise InvalidInputError(f"{credential.label} is missing. {credential.help}".strip())
        return values

    def _with_account(
        self, draft: ChannelConnection, state: AccountState, stored: ChannelConnection | None
    ) -> ChannelConnection:
        if stored is not None and stored.has_account and stored.account != state.account:
            raise ConflictError(
                f"The credentials are those of {state.name or state.account}, but the instance is connected to "
                f"{stored.account_name or stored.account}: disconnect it first"
            )
        named = msgspec.structs.replace(
            draft, account=state.account, account_name=state.name, options={**draft.options, **state.options}
        )
        return check_connection(named)

    async def _require_free(self, draft: ChannelConnection, stored: ChannelConnection | None) -> None:
        for other in await self._connections.list(channel=draft.channel):
            if other.account == draft.account and (stored is None or other.id != stored.id):
                raise ConnectionExistsError(draft.channel, same_account=True)

    async def _store(
        self,
        channel: Channel,
        draft: ChannelConnection,
        values: Mapping[str, SecretText],
        *,
        stored: ChannelConnection | None,
        by: Actor,
    ) -> Connected:
        names = {name: secret for name, secret in draft.credentials.items() if name in values}
        draft = msgspec.structs.replace(draft, credentials=names)
        secrets = {str(secret): values[name].reveal() for name, secret in names.items()}
        await self._set_secret.set_many(draft.slug, secrets, by=by)
        audit = Change(by, "channel.connect", (draft.channel,)).entry(self._clock.now(), instance=draft.slug)
        write = self._connections.add if stored is None else self._connections.save
        connection = await write(draft, audit=audit)
        webhook = f"{self._public_url}{connection.path}" if connection.delivery is Delivery.WEBHOOK else None
        try:
            state = await channel.check(ChannelAccount(connection=connection, credentials=values), SetUp(webhook))
        except PolyantError:
            await self._undo(connection, stored)
            raise
        for problem in connection.problems:  # those of the credentials and the setup before
            await self._connections.set_problem(connection.id, problem.kind, None, at=self._clock.now())
        return Connected(connection=msgspec.structs.replace(connection, problems=()), account=state)

    async def _undo(self, connection: ChannelConnection, stored: ChannelConnection | None) -> None:
        """Takes back what was stored of an account that had no connection: nobody may believe that it is connected."""
        if stored is None:
            await self._connections.delete(connection.id, version=connection.version)
        elif not stored.has_account:
            await self._connections.save(msgspec.structs.replace(stored, version=connection.version))

    def _random(self) -> str:
        """Returns at least 192 random bits in characters of base64url."""
        return self._tokens.api_key().reveal().removeprefix(API_KEY_PREFIX)


def secret_name(channel: str, credential: Credential) -> SecretName:
    """Returns the name of the instance's secret that contains a credential."""
    return parse_secret_name(f"{channel}_{credential.name}")


def needed_credentials(info: ChannelInfo, delivery: Delivery) -> tuple[Credential, ...]:
    """Returns the credentials that a delivery needs."""
    return tuple(each for each in info.credentials if each.needed_for in {None, delivery})


def _secret_names(info: ChannelInfo, delivery: Delivery) -> dict[str, SecretName]:
    return {each.name: secret_name(info.name, each) for each in needed_credentials(info, delivery)}


def _options_of(info: ChannelInfo, given: Mapping[str, str], stored: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the options after the change, if they are valid."""
    known = {each.name: each for each in info.options}
    for name in given:
        if name not in known:
            raise InvalidInputError(f"{info.label} has no option {name}: it has {_listed(sorted(known)) or 'none'}")
    options = {name: value for name, value in {**stored, **given}.items() if value}
    for name, option in known.items():
        if option.required and name not in options:
            raise InvalidInputError(f"{option.label} is missing. {option.help}".strip())
    return options


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
