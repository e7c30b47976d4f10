"""GET /v1/models and GET /v1/models/{slug}: the active instances as OpenAI models."""

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.catalog import Catalog
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.show_model import ShowModel
from polyant.http.auth import require_caller
from polyant.http.error_responses import error_responses
from polyant.http.openai.mapping import model_details, model_list
from polyant.http.openai.wire import ModelDetails, ModelList
from polyant.http.throttle import Throttle


class ModelsController(Controller):
    """The models; each active instance is one."""

    path = "/v1/models"
    tags = ("OpenAI",)

    @get(summary="List models", responses=error_responses(401, 429, 503))
    async def all(
        self,
        request: Request[object, object, State],
        identify_caller: NamedDependency[IdentifyCaller],
        throttle: NamedDependency[Throttle],
        list_models: NamedDependency[ListModels],
    ) -> ModelList:
        """Returns all active instances as models, oldest first. Requires a session or the API key of any instance."""
        await require_caller(request.scope, identify_caller, throttle)
        return model_list(await list_models())

    @get("/{slug:str}", summary="Get a model", responses=error_responses(400, 401, 404, 429, 503))
    async def one(
        self,
        *,
        request: Request[object, object, State],
        slug: FromPath[str],
        identify_caller: NamedDependency[IdentifyCaller],
        throttle: NamedDependency[Throttle],
        show_model: NamedDependency[ShowModel],
        catalog: NamedDependency[Catalog],
    ) -> ModelDetails:
        """Returns one active instance as a model, with what it accepts under `polyant`.

        Requires a session or the API key of any instance.
        """
        await require_caller(request.scope, identify_caller, throttle)
        instance = await show_model(slug)
        return model_details(instance, catalog.providers.get(instance.provider))
