"""The store that in-memory adapters share, like a database."""

from collections.abc import Callable, Iterable

from polyant.adapters.memory.conversation_tables import ConversationTables
from polyant.adapters.memory.instance_table import InstanceTable
from polyant.domain.audit import AuditEntry
from polyant.domain.channels import ChannelConnection, ConnectionId
from polyant.domain.errors import UnknownUserError, UserChangedError
from polyant.domain.instance_states import InstanceState, kept_states
from polyant.domain.instances import InstanceId
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import StoredSession, User, UserId


class MemoryStore:
    """Holds instances with their history, skill files and connections, users, their sessions, and all else."""

    def __init__(self) -> None:
        self.instances = InstanceTable()
        self.states: dict[InstanceId, dict[int, InstanceState]] = {}
        self.connections: dict[ConnectionId, ChannelConnection] = {}
        self.skill_files: dict[InstanceId, dict[tuple[str, str], StoredSkillFile]] = {}
        """The files by digest and path."""
        self.users: dict[UserId, User] = {}
        self.sessions: dict[str, StoredSession] = {}
        self.trail: list[AuditEntry] = []
        self.conversations = ConversationTables()

    def get_user(self, user_id: UserId, *, version: int | None) -> User:
        """Returns the user.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: A version is given, and the user has another one.
        """
        user = self.users.get(user_id)
        if user is None:
            raise UnknownUserError
        if version not in {None, user.version}:
            raise UserChangedError(user.email)
        return user

    def append_audit(self, entry: AuditEntry | None) -> None:
        """Adds the entry to the trail, if there is one."""
        if entry is not None:
            self.trail.append(entry)

    def add_state(self, state: InstanceState | None) -> None:
        """Adds the state to the history of its instance, if there is one, and drops the oldest states."""
        if state is not None:
            states = {**self.states.get(state.instance, {}), state.number: state}
            kept = kept_states([(number, each.size) for number, each in states.items()])
            self.states[state.instance] = {number: each for number, each in states.items() if number in kept}

    def end_connections(self, instance_id: InstanceId) -> None:
        """Removes the connections of the instance."""
        others = self.connections.values()
        self.connections = {each.id: each for each in others if each.instance_id != instance_id}

    def add_skill_files(self, files: Iterable[StoredSkillFile]) -> None:
        """Stores the files, unless they are stored already."""
        for file in files:
            self.skill_files.setdefault(file.instance, {}).setdefault((file.digest, file.path), file)

    def drop_unused_skill_files(self, instance: InstanceId) -> None:
        """Drops the files that neither the instance nor its history needs."""
        stored = self.instances.find(instance)
        used = {skill.digest for skill in stored.skills} if stored is not None else set[str]()
        used.update(*(state.skill_digests for state in self.states.get(instance, {}).values()))
        files = self.skill_files.pop(instance, {})
        kept = {key: file for key, file in files.items() if file.digest in used}
        if kept:
            self.skill_files[instance] = kept

    def end_sessions(self, is_over: Callable[[StoredSession], bool]) -> None:
        """Removes the sessions for which `is_over` returns true."""
        self.sessions = {token_id: known for token_id, known in self.sessions.items() if not is_over(known)}
