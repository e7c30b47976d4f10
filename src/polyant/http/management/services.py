"""What the routes of the management API call: one use case each, made of the ports."""

from collections.abc import Mapping
from typing import Self

import msgspec

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.use_cases.change_password import ChangePassword
from polyant.domain.use_cases.create_instance import CreateInstance
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.edit_user import EditUser
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.list_turns import ListTurns
from polyant.domain.use_cases.log_in import LogIn
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.recognise_user import RecogniseUser
from polyant.domain.use_cases.replace_mcp_servers import ReplaceMcpServers
from polyant.domain.use_cases.run_turn import RunTurn
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.use_cases.try_instance import TryInstance
from polyant.domain.use_cases.update_instance import UpdateInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from polyant.domain.use_cases.update_user import UpdateUser


class ManagementPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the management API stands on."""

    repo: InstanceRepo
    """As it is stored: who has just written wants to read that."""
    users: UserRepo
    sessions: SessionRepo
    audit_log: AuditLog
    turn_log: TurnLog
    hasher: PasswordHasher
    cipher: SecretCipher
    session_tokens: SessionTokens
    run_turn: RunTurn
    clock: Clock
    tokens: TokenSource
    providers: Mapping[str, ProviderInfo]
    tools: Mapping[str, Tool]
    tool_access: ToolAccess
    system_prompts: SystemPromptComposer
    adapter_options: AdapterOptions


class Management(msgspec.Struct, frozen=True, kw_only=True):
    """The use cases, and what can be listed as it is."""

    instances: InstanceRepo
    users: UserRepo
    audit_log: AuditLog
    providers: Mapping[str, ProviderInfo]
    tools: Mapping[str, Tool]

    recognise: RecogniseUser
    log_in: LogIn
    log_out: LogOut
    change_password: ChangePassword
    show_user: ShowUser
    create_user: CreateUser
    update_user: UpdateUser
    delete_user: DeleteUser

    show: ShowInstance
    create: CreateInstance
    update: UpdateInstance
    delete: DeleteInstance
    import_instance: ImportInstance
    update_prompts: UpdatePrompts
    preview_prompt: PreviewPrompt
    set_secret: SetSecret
    delete_secret: DeleteSecret
    issue_key: IssueKey
    replace_mcp_servers: ReplaceMcpServers
    try_instance: TryInstance
    list_turns: ListTurns

    @classmethod
    def on(cls, ports: ManagementPorts) -> Self:
        """Returns the use cases on those ports."""
        repo, users, sessions, clock, tokens = ports.repo, ports.users, ports.sessions, ports.clock, ports.tokens
        cipher, hasher, providers, tools = ports.cipher, ports.hasher, ports.providers, ports.tools
        edit, edit_user = EditInstance(repo=repo, clock=clock), EditUser(users=users, clock=clock)
        return cls(
            instances=repo,
            users=users,
            audit_log=ports.audit_log,
            providers=providers,
            tools=tools,
            recognise=RecogniseUser(session_tokens=ports.session_tokens, sessions=sessions, clock=clock),
            log_in=LogIn(
                users=users,
                sessions=sessions,
                hasher=hasher,
                clock=clock,
                tokens=tokens,
                session_tokens=ports.session_tokens,
            ),
            log_out=LogOut(users=users, sessions=sessions, clock=clock),
            change_password=ChangePassword(edit=edit_user, hasher=hasher),
            show_user=ShowUser(users=users),
            create_user=CreateUser(users=users, hasher=hasher, clock=clock, tokens=tokens),
            update_user=UpdateUser(edit=edit_user, hasher=hasher),
            delete_user=DeleteUser(users=users, clock=clock),
            show=ShowInstance(repo=repo),
            create=CreateInstance(repo=repo, clock=clock, tokens=tokens, providers=providers),
            update=UpdateInstance(edit=edit, providers=providers, tools=tools, adapter_options=ports.adapter_options),
            delete=DeleteInstance(repo=repo, clock=clock),
            import_instance=ImportInstance(
                repo=repo,
                edit=edit,
                clock=clock,
                tokens=tokens,
                providers=providers,
                adapter_options=ports.adapter_options,
            ),
            update_prompts=UpdatePrompts(edit=edit),
            preview_prompt=PreviewPrompt(repo=repo, system_prompts=ports.system_prompts, tool_access=ports.tool_access),
            set_secret=SetSecret(edit=edit, cipher=cipher, providers=providers),
            delete_secret=DeleteSecret(edit=edit),
            issue_key=IssueKey(edit=edit, cipher=cipher, tokens=tokens),
            replace_mcp_servers=ReplaceMcpServers(edit=edit),
            try_instance=TryInstance(repo=repo, run_turn=ports.run_turn),
            list_turns=ListTurns(repo=repo, turn_log=ports.turn_log),
        )
