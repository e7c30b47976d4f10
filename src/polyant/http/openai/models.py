"""GET /v1/models and GET /v1/models/{slug}."""

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import Scope

from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.list_models import ListModels
from polyant.domain.use_cases.show_model import ShowModel
from polyant.http.auth import require_caller
from polyant.http.openai.mapping import model_list, model_out
from polyant.http.openai.wire import ModelList, ModelOut
from polyant.http.refusals import refusals
from polyant.http.throttle import Throttle


class ModelsEndpoint:
    """Shows models to whoever holds a good credential."""

    def __init__(
        self, *, identify: IdentifyCaller, list_models: ListModels, show_model: ShowModel, throttle: Throttle
    ) -> None:
        self._identify = identify
        self._list_models = list_models
        self._show_model = show_model
        self._throttle = throttle

    async def all(self, scope: Scope) -> ModelList:
        """Returns every active instance as a model."""
        await require_caller(scope, self._identify, self._throttle)
        return model_list(await self._list_models())

    async def one(self, scope: Scope, slug: str) -> ModelOut:
        """Returns one active instance as a model."""
        await require_caller(scope, self._identify, self._throttle)
        return model_out(await self._show_model(slug))


class ModelsController(Controller):
    """The models, one for each active instance."""

    path = "/v1/models"
    tags = ("OpenAI",)

    @get(summary="List the models", responses=refusals(401, 429, 503))
    async def all(self, request: Request[object, object, State], models: NamedDependency[ModelsEndpoint]) -> ModelList:
        """Lists every active instance, oldest first."""
        return await models.all(request.scope)

    @get("/{slug:str}", summary="Show one model", responses=refusals(400, 401, 404, 429, 503))
    async def one(
        self,
        request: Request[object, object, State],
        slug: FromPath[str],
        models: NamedDependency[ModelsEndpoint],
    ) -> ModelOut:
        """Shows one active instance."""
        return await models.one(request.scope, slug)
