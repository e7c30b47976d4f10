"""The router of the panel."""

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from polyant.domain.running_turns import CallerGoneError
from polyant.http.errors import handle_caller_gone
from polyant.http.panel.account import AccountPageController
from polyant.http.panel.audit import AuditPageController
from polyant.http.panel.channels import ChannelsPageController
from polyant.http.panel.conversations import ConversationPageController
from polyant.http.panel.create import CreatePageController
from polyant.http.panel.delete import DeletePageController
from polyant.http.panel.errors import error_page
from polyant.http.panel.gate import PanelMiddleware
from polyant.http.panel.history import HistoryPageController
from polyant.http.panel.imports import ImportPageController
from polyant.http.panel.instances import InstancesPageController
from polyant.http.panel.keys import KeyPageController
from polyant.http.panel.mcp import McpPageController
from polyant.http.panel.options import OptionsPageController
from polyant.http.panel.overview import OverviewPageController
from polyant.http.panel.pages import STATIC
from polyant.http.panel.playground import PlaygroundPageController
from polyant.http.panel.prompts import PromptsPageController
from polyant.http.panel.secrets import SecretsPageController
from polyant.http.panel.settings import SettingsPageController
from polyant.http.panel.sign_in import SignInController
from polyant.http.panel.skill_files import SkillFilesPageController
from polyant.http.panel.skills import SkillsPageController
from polyant.http.panel.status import StatusPageController
from polyant.http.panel.tools import ToolsPageController
from polyant.http.panel.users import UsersPageController
from polyant.http.single_router import SingleRouter

_FOREVER = CacheControlHeader(public=True, max_age=31_536_000, immutable=True)
"""The URLs of static files contain a digest of their content."""


def panel_routes() -> list[ControllerRouterHandler]:
    """Returns the routes of the panel: its pages and their static files."""
    pages = SingleRouter(
        path="/",
        route_handlers=[
            SignInController,
            InstancesPageController,
            CreatePageController,
            ImportPageController,
            OverviewPageController,
            SettingsPageController,
            OptionsPageController,
            PromptsPageController,
            ToolsPageController,
            McpPageController,
            ChannelsPageController,
            SkillsPageController,
            SkillFilesPageController,
            PlaygroundPageController,
            KeyPageController,
            SecretsPageController,
            DeletePageController,
            HistoryPageController,
            ConversationPageController,
            AuditPageController,
            StatusPageController,
            UsersPageController,
            AccountPageController,
        ],
        middleware=[PanelMiddleware],
        exception_handlers={
            CallerGoneError: handle_caller_gone,
            HTTPException: error_page,  # in place of the application's handler
            Exception: error_page,
        },
        include_in_schema=False,
    )
    return [pages, _static_files()]


def _static_files() -> Router:
    return create_static_files_router(path="/panel", directories=[STATIC], cache_control=_FOREVER)
