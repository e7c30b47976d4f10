"""Outbound addresses: who may set a provider's or an MCP server's address, and where connections may go."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import OutboundOrigins
from polyant.domain.instances import Instance
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.public_addresses import is_public
from polyant.domain.urls import origin_of


class OutboundPolicy:
    """Decides which addresses of an instance may be outside the public internet.

    An address is free if it belongs to an enabled provider or to the operator's list, or if somebody who may set any
    address has set it for this instance. Every other address is restricted: connections to it must go to public IP
    addresses only, which the adapters check for each connection.

    Args:
        providers: The enabled providers, by name.
        origins: The origins in OUTBOUND_ORIGINS.
    """

    def __init__(self, *, providers: Mapping[str, ProviderInfo], origins: OutboundOrigins) -> None:
        self._free_origins = origins | {origin_of(info.base_url) for info in providers.values()}

    def restricts(self, instance: Instance, address: str) -> bool:
        """Returns whether connections to one of the instance's addresses must go to public IP addresses only."""
        return address not in instance.approved_addresses and origin_of(address) not in self._free_origins

    def approved(self, instance: Instance, given: Iterable[str], *, unrestricted: bool, before: Instance) -> Instance:
        """Returns the changed instance with the approvals of its addresses.

        Args:
            instance: The instance after the change.
            given: The addresses that the author of the change has set, also those that stay the same.
            unrestricted: Whether the author may set any address: a superadmin or the command line.
            before: The instance before the change; for a new one, the instance itself.

        Raises:
            InvalidInputError: The author may not set one of the given addresses.
        """
        new = instance.addresses & frozenset(given)
        kept = before.approved_addresses & instance.addresses
        result = msgspec.structs.replace(instance, approved_addresses=kept | new if unrestricted else kept)
        for address in sorted(new):
            if self.restricts(result, address) and _is_internal(address):
                raise InvalidInputError(
                    f"Only a superadmin can set the address {address}, because it isn't on the public internet",
                    hint="OUTBOUND_ORIGINS lists the addresses that every user can set",
                )
        return result


def _is_internal(address: str) -> bool:
    """Returns whether the address itself shows that it isn't public; names are checked when they are resolved."""
    host = (urlsplit(address).hostname or "").removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)
