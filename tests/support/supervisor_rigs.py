"""Rigs of Supervisors, with Polyant's own cipher, clock and formatter."""

from collections.abc import Callable

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.secrets import SecretText
from polyant.testing.supervisor_rig import SupervisorParts, SupervisorRig, open_rig


async def rig_of(build: Callable[[SupervisorParts], Supervisor]) -> SupervisorRig:
    """Returns a rig for the Supervisor that the function builds."""
    return await open_rig(
        build,
        cipher=AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)]),
        clock=SystemClock(),
        date_time_formatter=SystemDateTimeFormatter(timezone="UTC", locale="en-US"),
        skill_files=MemorySkillFiles(memory=MemoryStore()),
    )
