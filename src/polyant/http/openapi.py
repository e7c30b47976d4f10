"""Builds the OpenAPI document from the routes and from the structs of their bodies."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from polyant import __version__
from polyant.http.auth import SESSION_COOKIE
from polyant.http.docs_page import page_of
from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.schema_examples import example_of

Document = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_DECODED_BY_HAND = ("/v1/chat/completions", "/api/instances/{slug}/playground")
"""The routes whose handlers decode the body themselves."""

_TAGS = (
    *("OpenAI", "Sessions", "Instances", "Prompts", "Tools", "Secrets", "Keys", "MCP servers", "Playground", "Turns"),
    *("Channels", "Skills", "History", "Conversations", "Export and import", "Catalog", "Users", "Audit", "Health"),
)
"""The tags in the order shown."""

_DESCRIPTION = (
    "Chat with assistants through the OpenAI-compatible API under /v1 and manage them through the API under /api. "
    "Every error response has the same body: statusCode, message and error. "
    "Unknown fields and query parameters are rejected under /api and ignored under /v1."
)


class ApiDescription:
    """Provides the OpenAPI document of the given routes; each form is built on first use, and only once."""

    def __init__(self, route_handlers: Sequence[ControllerRouterHandler], dependencies: Mapping[str, Provide]) -> None:
        self._route_handlers = route_handlers
        self._dependencies = dependencies
        self._building = threading.RLock()  # `cached_property` doesn't keep threads from building it several times
        self._document: Document | None = None
        self._json: bytes | None = None
        self._page: bytes | None = None

    @property
    def document(self) -> Document:
        """The OpenAPI 3.1 document."""
        with self._building:
            if self._document is None:
                self._document = self._build()
            return self._document

    @property
    def json(self) -> bytes:
        """The document as JSON."""
        with self._building:
            if self._json is None:
                self._json = msgspec.json.encode(self.document)
            return self._json

    @property
    def page(self) -> bytes:
        """The document as an HTML page."""
        with self._building:
            if self._page is None:
                self._page = page_of(self.document).encode()
            return self._page

    def _build(self) -> Document:
        app = Litestar(
            route_handlers=list(self._route_handlers),
            dependencies=dict(self._dependencies),
            openapi_config=_config(),
            logging_config=None,
        )
        document: Document = app.openapi_schema.to_schema()
        document["components"]["schemas"] = _schemas_of(app)
        for path in _DECODED_BY_HAND:
            _complete_chat(document["paths"][path]["post"])
        for operation in _operations_in(document):
            _mark_optional(operation)
        for content in _contents_in(document):
            content.setdefault("example", example_of(content["schema"], document["components"]["schemas"]))
        return document


def _config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Polyant",
        version=__version__,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        tags=[Tag(name) for name in _TAGS],
        security=[{"bearer": []}, {"cookie": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="A session token; under /v1 also an instance's API key"
                ),
                "cookie": SecurityScheme(
                    type="apiKey",
                    name=SESSION_COOKIE,
                    security_scheme_in="cookie",
                    description="The cookie that POST /api/auth/login sets; over https, its name begins with __Host-",
                ),
            }
        ),
    )


def _schemas_of(app: Litestar) -> dict[str, Any]:
    """Returns the schemas of all wire structs as msgspec validates them."""
    kinds = [ChatCompletionRequest, *dict.fromkeys(_kinds_in(app))]
    schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)[1]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            _describe_integer(field)
    return schemas


def _describe_integer(schema: dict[str, Any]) -> None:
    """Omits the type number beside the type integer: a decoder that accepts both accepts only whole numbers."""
    alternatives = schema.get("anyOf", [])
    if any(each.get("type") == "integer" for each in alternatives):
        schema["anyOf"] = [each for each in alternatives if each != {"type": "number"}]


def _kinds_in(app: Litestar) -> Iterator[Any]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler, _ in route.route_handler_map.values():
            if not handler.resolve_include_in_schema():
                continue
            if handler.parsed_data_field is not None:
                yield handler.parsed_data_field.annotation
            responses = handler.responses or {}
            if handler.status_code not in responses:
                returned = handler.parsed_return_field
                yield returned.inner_types[0].annotation if returned.inner_types else returned.annotation
            yield from (spec.data_container for spec in responses.values())


def _complete_chat(operation: dict[str, Any]) -> None:
    reference = {"$ref": _REFERENCE.format(name=ChatCompletionRequest.__name__)}
    operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    operation["responses"]["200"]["content"]["text/event-stream"] = {
        "schema": {"type": "string", "description": "Chunks as server-sent events, if `stream` is true"},
        "example": "data: {…}\n\ndata: [DONE]\n\n",
    }


def _operations_in(document: Document) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _mark_optional(operation: dict[str, Any]) -> None:
    """Marks bodies and parameters as optional where Litestar describes them as nullable."""
    body = operation.get("requestBody")
    if body is not None:
        body["required"] = not _is_optional(body["content"]["application/json"]["schema"])
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if _is_optional(schema):
            parameter["schema"] = schema.pop("oneOf")[0] | schema


def _is_optional(schema: Mapping[str, Any]) -> bool:
    return {"type": "null"} in schema.get("oneOf", ())


def _contents_in(document: Document) -> Iterator[dict[str, Any]]:
    """Yields the description of each JSON body that has no examples yet."""
    for operation in _operations_in(document):
        for part in (operation.get("requestBody"), *operation["responses"].values()):
            content = (part or {}).get("content", {}).get("application/json")
            if content is not None and "examples" not in content:
                yield content
