"""The generated password of the first user, which the panel asks to replace."""

from pathlib import Path

import msgspec

from polyant.domain.users import User


class FirstPassword(msgspec.Struct, frozen=True):
    """The file of the first user's password, which exists only if the password was generated."""

    email: str
    """The first user's address."""
    file: Path

    def is_used_by(self, user: User) -> bool:
        """Returns whether a user still has this password, as far as the file and the account tell."""
        return user.email == self.email and user.version == 1 and self.file.exists()
