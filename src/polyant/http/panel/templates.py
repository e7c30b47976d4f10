"""The panel's template engine, which imports Jinja when it renders the first page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar.template import TemplateConfig, TemplateEngineProtocol

from polyant.http.panel.texts import ago, duration, number, uptime

if TYPE_CHECKING:  # Jinja costs time and memory, which a server that shows no page doesn't spend
    from jinja2 import Template
    from litestar.plugins.jinja import JinjaTemplateEngine

FOLDER = Path(__file__).parent / "templates"


class PanelTemplates(TemplateEngineProtocol["Template", Mapping[str, Any]]):
    """Litestar's Jinja engine with the panel's templates and filters; values are escaped automatically."""

    def __init__(self) -> None:
        pass

    def get_template(self, template_name: str) -> "Template":
        """Returns the template with that file name."""
        return self._engine.get_template(template_name)

    def render_string(self, template_string: str, context: Mapping[str, Any]) -> str:
        """Returns the rendered text of a template that isn't a file."""
        return self._engine.render_string(template_string, context)

    def register_template_callable(self, key: str, template_callable: Any) -> None:
        """Makes a function available to the templates."""
        self._engine.register_template_callable(key, template_callable)

    @cached_property
    def _engine(self) -> "JinjaTemplateEngine":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - see the module's docstring
        from litestar.plugins.jinja import JinjaTemplateEngine  # noqa: PLC0415 - imports Jinja

        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {"ago": ago, "utc": _utc, "iso": _iso}
        environment.filters |= {"number": number, "duration": duration, "uptime": uptime}
        return JinjaTemplateEngine.from_environment(environment)


def template_config() -> TemplateConfig[PanelTemplates]:
    """Returns Litestar's template settings for the panel."""
    return TemplateConfig(instance=PanelTemplates())


def _utc(moment: datetime) -> str:
    """Returns a time as people read it, in UTC."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def _iso(moment: datetime) -> str:
    """Returns a time as the `datetime` attribute has it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
