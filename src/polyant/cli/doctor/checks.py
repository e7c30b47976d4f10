"""The checks of `polyant doctor`, in their order. To add a check, write its function and list it here."""

from polyant.cli.context import CliContext
from polyant.cli.doctor import adapters, channels, clock, disk, files, instances, port, providers, store
from polyant.cli.doctor.check import Check
from polyant.settings import Settings

MACHINE_CHECKS: tuple[Check[Settings], ...] = (
    Check("port", port.check_port),
    Check("disk", disk.check_space),
    Check("files", files.check_access, blocks=True),
    Check("files", files.check_permissions),
    Check("database", files.check_data_exists, blocks=True),
)
"""The checks that need only the settings."""

DATA_CHECKS: tuple[Check[CliContext], ...] = (
    Check("database", store.check_database, blocks=True),
    Check("encryption key", store.check_encryption_key, blocks=True),
    Check("older encryption keys", store.check_older_keys),
    Check("auth secret", store.check_auth_secret),
    Check("adapters", adapters.list_settings),
    Check("adapters", adapters.check_variables),
    Check("adapters", adapters.check_health),
    Check("clock", clock.check_clock),
    Check("instances", instances.check_count),
    Check("instances", instances.check_each),
    Check("providers", providers.check_reachable),
    Check("channels", channels.check_connections),
    Check("channels", channels.check_dead_letters),
)
"""The checks that need the stored data."""
