"""The rule for changing the readers of transcripts."""

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance, TranscriptReaders


def check_transcripts(changed: Instance, before: Instance | None, *, unrestricted: bool) -> None:
    """Returns if the author of a change may let the given users read transcripts.

    Args:
        changed: The instance after the change.
        before: The instance before the change; None for a new one.
        unrestricted: Whether the author is a superadmin or the command line.

    Raises:
        InvalidInputError: A user would gain access to texts that only superadmins may read.
    """
    kept = before is not None and before.transcripts is TranscriptReaders.USERS
    if changed.transcripts is TranscriptReaders.USERS and not (unrestricted or kept):
        raise InvalidInputError("Only a superadmin can set transcripts to users")
