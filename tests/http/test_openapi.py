"""The OpenAPI document, checked against the API."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import MAX_DESCRIPTION_CHARACTERS, MAX_SLUG_CHARACTERS, parse_slug
from polyant.domain.limits import TurnLimits, check_turn_limits
from polyant.domain.login_limits import ACCOUNT_LIMIT, NETWORK_LIMIT, UNKNOWN_NETWORKS_LIMIT
from polyant.domain.secrets import parse_secret_name
from polyant.domain.users import parse_email
from polyant.http.app import describe
from polyant.http.docs_page import page_of
from polyant.http.openapi import ApiDescription, Document
from support.app import App

DOCUMENT = describe().document
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


def test_every_tag_is_described() -> None:
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert sorted(tags) == sorted({operation["tags"][0] for _, _, operation in OPERATIONS})


def test_document_is_openapi_3_1_and_describes_the_whole_api() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert {path.split("/")[1] for path in DOCUMENT["paths"]} == {"v1", "api", "health"}
    assert "/v1/chat/completions" in DOCUMENT["paths"]
    assert len(OPERATIONS) == 67
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == 67


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_operation_has_a_summary_and_its_error_responses(method: str, path: str, operation: dict[str, Any]) -> None:
    assert re.match(r"[A-Z].*[^.]\Z", operation["summary"])
    assert re.match(r"[A-Z](.|\n)*\.\Z", operation["description"])
    assert len(operation["tags"]) == 1
    success, *errors = sorted(operation["responses"])
    assert success in {"200", "201"}
    for status in (each for each in errors if int(each) >= 400):
        content = operation["responses"][status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
        (example,) = content["examples"].values()
        assert (list(example["value"]), str(example["value"]["statusCode"])) == (
            ["statusCode", "message", "error"],
            status,
        )
    if path.startswith("/api/"):
        assert {"400", "401", "429", "503"} <= set(errors)
        # Reading requires only a session, except for users and the texts of conversations.
        requires_role = path.startswith("/api/users") or path.endswith(
            ("/conversations/{conversation}/export", "/conversations/{conversation}/media/{address}")
        )
        assert ("403" in errors) is (method != "get" or requires_role)
        # A password can change while the current one is checked.
        is_conditional = "If-Match" in {parameter["name"] for parameter in operation.get("parameters", [])}
        assert ("412" in errors) is (is_conditional or path == "/api/me/password")


def schema_of(body: str, field: str) -> dict[str, Any]:
    """Returns the schema of a body's field."""
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][body]["properties"][field]
    return found


def accepts(schema: dict[str, Any], text: str) -> bool:
    return len(text) <= schema.get("maxLength", len(text)) and bool(re.search(schema["pattern"], text))


def parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except InvalidInputError:
        return False
    return True


@pytest.mark.parametrize(
    ("body", "field", "parse", "characters"),
    [
        ("CreateInstanceBody", "slug", parse_slug, "aZ09._-é"),
        ("CreateUserBody", "email", parse_email, 'aZ0@.-+é"'),
        ("SecretBody", "key", parse_secret_name, "aZ0_-é"),
    ],
)
@given(st.data())
def test_pattern_of_a_schema_matches_the_domain(
    body: str, field: str, parse: Callable[[str], object], characters: str, data: st.DataObject
) -> None:
    text = data.draw(st.text(characters, max_size=8))
    assert accepts(schema_of(body, field), text) == parses(parse, text)


def test_bounds_of_schemas_match_the_domain() -> None:
    assert schema_of("CreateInstanceBody", "slug")["maxLength"] == MAX_SLUG_CHARACTERS
    assert schema_of("CreateInstanceBody", "description")["maxLength"] == MAX_DESCRIPTION_CHARACTERS
    steps, _ = schema_of("LimitsBody", "maxSteps")["anyOf"]
    assert (steps["minimum"], steps["maximum"]) == (1, 100)
    with pytest.raises(InvalidInputError):
        check_turn_limits(TurnLimits(max_steps=101))


def test_description_of_login_matches_the_settings() -> None:
    description = DOCUMENT["paths"]["/api/auth/login"]["post"]["description"]
    assert "a session of 12 hours" in description
    for limit, period in ((ACCOUNT_LIMIT, "minute"), (NETWORK_LIMIT, "minute"), (UNKNOWN_NETWORKS_LIMIT, "hour")):
        assert re.search(rf"\b{limit.requests} (attempts )?per {period}", description)
        assert limit.seconds == {"minute": 60, "hour": 3_600}[period]
    description = DOCUMENT["paths"]["/api/me/password"]["post"]["description"]
    assert f"{ACCOUNT_LIMIT.requests} attempts per minute and {UNKNOWN_NETWORKS_LIMIT.requests} per hour" in description


def bodies() -> list[Any]:
    """Returns each JSON body of the document, with its schema and example."""
    return [
        pytest.param(content["schema"], content["example"], id=f"{method} {path} {status}")
        for method, path, operation in OPERATIONS
        for status, part in [("body", operation.get("requestBody")), *operation["responses"].items()]
        if part is not None
        and "example" in (content := part.get("content", {}).get("application/json", {"schema": None}))
    ]


def structs(base: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yields every struct on the wire, by its name."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("polyant.http."):
            yield kind.__name__, kind
            yield from structs(kind)


@pytest.mark.parametrize(("schema", "example"), bodies())
def test_example_matches_the_struct_of_its_schema(schema: dict[str, Any], example: object) -> None:
    reference = (schema if "$ref" in schema else schema["oneOf"][0])["$ref"]
    kind = dict(structs(msgspec.Struct))[reference.rpartition("/")[2]]
    decoded: msgspec.Struct = msgspec.json.decode(msgspec.json.encode(example), type=kind)
    assert msgspec.json.decode(msgspec.json.encode(decoded)).keys() == dict(example).keys()  # type: ignore[call-overload]


def test_every_reference_resolves_and_every_schema_is_used() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == set(DOCUMENT["components"]["schemas"])


def test_bodies_forbid_unknown_names_and_mark_optional_fields() -> None:
    schema = DOCUMENT["components"]["schemas"]["PatchInstanceBody"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == []
    operations = DOCUMENT["paths"]["/api/instances/{slug}/keys"]
    assert operations["post"]["requestBody"]["required"] is False
    assert DOCUMENT["paths"]["/api/instances"]["post"]["requestBody"]["required"] is True
    assert "additionalProperties" not in DOCUMENT["components"]["schemas"]["ChatCompletionRequest"]


def test_parameters_have_bounds_and_are_not_nullable() -> None:
    parameters = {each["name"]: each for each in DOCUMENT["paths"]["/api/instances"]["get"]["parameters"]}
    assert list(parameters) == ["limit", "offset", "search", "status"]
    limit = parameters["limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)
    assert parameters["status"]["schema"] == {
        "type": "string",
        "enum": ["active", "disabled"],
        "description": "Return only instances with this status",
    }
    everything = [operation.get("parameters", []) for _, _, operation in OPERATIONS]
    assert b"null" not in msgspec.json.encode(everything)


def test_only_public_operations_are_marked_as_public() -> None:
    public = {path for _, path, operation in OPERATIONS if {} in operation.get("security", [])}
    assert public == {"/api/auth/login", "/v1/chat/completions", "/health", "/health/ready"}
    assert DOCUMENT["security"] == [{"bearer": []}, {"cookie": []}]
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "cookie"}


async def test_document_is_public(app: App) -> None:
    response = await app.get("/api/openapi.json")
    assert (response.status, response.header("content-type")) == (200, "application/json")
    assert response.json == msgspec.json.decode(msgspec.json.encode(DOCUMENT))


async def test_page_shows_every_operation_and_schema_without_scripts_or_external_resources(app: App) -> None:
    response = await app.get("/docs")
    assert (response.status, response.header("content-type")) == (200, "text/html; charset=utf-8")
    page = response.body.decode()
    for method, path, operation in OPERATIONS:
        assert f'<code class="method {method}">{method.upper()}</code> <code>{path}</code>' in page
        assert operation["summary"].replace("'", "&#x27;") in page
    for name in DOCUMENT["components"]["schemas"]:
        assert f'<h3 id="{name.lower()}">{name}</h3>' in page
    for link in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{link}"' in page, link
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', page) == ["/docs/style.css", "/api/openapi.json"]


async def test_page_forbids_scripts_frames_and_other_sites(app: App) -> None:
    policy = (await app.get("/docs")).header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert (await app.get("/docs")).header("referrer-policy") == "no-referrer"


async def test_style_sheet_of_the_page_is_served(app: App) -> None:
    style = await app.get("/docs/style.css")
    assert (style.status, style.header("content-type")) == (200, "text/css; charset=utf-8")
    assert b"@import" not in style.body
    assert b"url(" not in style.body


class CountedDescription(ApiDescription):
    """A description that counts how often it is built."""

    built = 0

    def _build(self) -> Document:
        self.built += 1
        time.sleep(0.01)  # long enough for other threads to ask for it, too
        return DOCUMENT


def test_document_and_page_are_rendered_once_for_concurrent_requests() -> None:
    description = CountedDescription((), {})
    with ThreadPoolExecutor(8) as threads:
        pages = [*threads.map(lambda number: description.page if number % 2 else description.json, range(16))]
    assert description.built == 1
    assert {id(page) for page in pages} == {id(description.json), id(description.page)}
    assert (pages[0], pages[1].decode()) == (msgspec.json.encode(DOCUMENT), page_of(DOCUMENT))


@pytest.mark.parametrize("path", ["/docs/nothing", "/api/openapi.yaml", "/schema", "/schema/swagger"])
async def test_no_other_documentation_is_served(app: App, path: str) -> None:
    assert (await app.get(path)).json["message"] == f"Cannot GET {path}"


TEXTS = frozenset({"title", "version", "summary", "description", "example", "value"})


def with_markup(node: Any, *, is_text: bool = False) -> Any:
    """Returns the document with markup in each text for readers."""
    match node:
        case dict():
            return {name: with_markup(value, is_text=is_text or name in TEXTS) for name, value in node.items()}
        case list():
            return [with_markup(each, is_text=is_text) for each in node]
        case str() if is_text:
            return f"<b>&'\"{node}"
        case _:
            return node


def test_page_escapes_the_texts_of_the_document() -> None:
    page = page_of(with_markup(DOCUMENT))
    assert "<b>" not in page
    assert page.count("&lt;b&gt;&amp;&#x27;&quot;") > 2 * len(OPERATIONS)
