"""The router of the management API."""

from litestar import Router
from litestar.datastructures import ResponseHeader
from litestar.di import Provide

from polyant.http.management.attention import AttentionController
from polyant.http.management.audit import AuditController
from polyant.http.management.authentication import SessionMiddleware
from polyant.http.management.catalog import CatalogController
from polyant.http.management.channels import ChannelsController
from polyant.http.management.conversations import ConversationsController
from polyant.http.management.history import HistoryController
from polyant.http.management.instances import InstancesController
from polyant.http.management.keys import KeysController
from polyant.http.management.mcp_servers import McpServersController
from polyant.http.management.media import MediaController
from polyant.http.management.playground import PlaygroundController
from polyant.http.management.prompts import PromptsController
from polyant.http.management.requests import ApiRequest, require_known_parameters
from polyant.http.management.secrets import SecretsController
from polyant.http.management.sessions import AccountController, SessionsController
from polyant.http.management.skills import SkillsController
from polyant.http.management.tools import ToolsController
from polyant.http.management.transfer import TransferController
from polyant.http.management.turns import TurnsController
from polyant.http.management.users import UsersController
from polyant.http.management.wire import paging
from polyant.http.single_router import SingleRouter


def management_router() -> Router:
    """Returns the router with all routes under /api."""
    return SingleRouter(
        path="/api",
        route_handlers=[
            SessionsController,
            AccountController,
            InstancesController,
            PromptsController,
            ToolsController,
            SecretsController,
            KeysController,
            McpServersController,
            ChannelsController,
            PlaygroundController,
            TurnsController,
            TransferController,
            HistoryController,
            ConversationsController,
            MediaController,
            SkillsController,
            CatalogController,
            AttentionController,
            UsersController,
            AuditController,
        ],
        middleware=[SessionMiddleware],
        guards=[require_known_parameters],
        request_class=ApiRequest,
        dependencies={"paging": Provide(paging, sync_to_thread=False)},
        response_headers=[ResponseHeader(name="Cache-Control", value="no-store")],
    )
