"""Renders the OpenAPI document as a plain HTML page."""

from collections.abc import Mapping
from html import escape
from typing import Any

import msgspec

_METHODS = ("get", "post", "put", "patch", "delete")

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} {version}</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
"""


def page_of(document: Mapping[str, Any]) -> str:
    """Returns the HTML page of an OpenAPI document."""
    info = document["info"]
    return _HEAD.format(title=escape(info["title"]), version=escape(info["version"])) + _body(document)


def _body(document: Mapping[str, Any]) -> str:
    info = document["info"]
    sections = _sections(document)
    links = "".join(f'<li><a href="#{_anchor(tag)}">{escape(tag)}</a></li>' for tag in sections)
    shown = "".join(
        f'<section id="{_anchor(tag)}"><h2>{escape(tag)}</h2>{"".join(operations)}</section>'
        for tag, operations in sections.items()
    )
    return (
        f"<body><header><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f"<p>{escape(info['description'])}</p>"
        '<p>Machine-readable: <a href="/api/openapi.json">openapi.json</a></p>'
        f'<nav><ul>{links}<li><a href="#schemas">Schemas</a></li></ul></nav></header>'
        f'<main>{shown}<section id="schemas"><h2>Schemas</h2>{_schemas(document)}</section></main></body></html>'
    )


def _sections(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the operations by tag, in the order of the document's tags."""
    sections: dict[str, list[str]] = {}
    for path in sorted(document["paths"], key=len):
        for method in filter(document["paths"][path].get, _METHODS):
            operation = document["paths"][path][method]
            sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    return {tag["name"]: sections[tag["name"]] for tag in document["tags"]}


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    return (
        f'<details><summary><code class="method {method}">{method.upper()}</code> <code>{escape(path)}</code> '
        f"<span>{escape(operation['summary'])}</span></summary>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        + _parameters(operation.get("parameters", ()))
        + (f"<h4>Request body</h4>{_content(operation['requestBody'])}" if "requestBody" in operation else "")
        + "<h4>Responses</h4>"
        + "".join(_response(status, response) for status, response in sorted(operation["responses"].items()))
        + "</details>"
    )


def _parameters(parameters: Any) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(found['name'])}</code></td><td>{escape(found['in'])}</td>"
        f"<td>{_type(found['schema'])}</td><td>{escape(found.get('description', ''))}</td></tr>"
        for found in parameters
    )
    head = "<tr><th>Name</th><th>In</th><th>Type</th><th>Description</th></tr>"
    return f"<h4>Parameters</h4><table>{head}{rows}</table>" if rows else ""


def _response(status: str, response: Mapping[str, Any]) -> str:
    return (
        f"<details><summary><code>{escape(status)}</code> {escape(response['description'])}</summary>"
        f"{_content(response)}</details>"
    )


def _content(part: Mapping[str, Any]) -> str:
    return "".join(
        f"<p><code>{escape(media_type)}</code> {_type(content['schema'])}</p>{_example(content)}"
        for media_type, content in part.get("content", {}).items()
    )


def _example(content: Mapping[str, Any]) -> str:
    examples = [example["value"] for example in content.get("examples", {}).values()]
    shown = examples[0] if examples else content.get("example")
    if isinstance(shown, str):
        return f"<pre>{escape(shown)}</pre>"
    return f"<pre>{escape(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())}</pre>"


def _schemas(document: Mapping[str, Any]) -> str:
    schemas = document["components"]["schemas"]
    return "".join(_schema(name, schemas[name]) for name in sorted(schemas))


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' *' if field in required else ''}</td><td>{_type(part)}</td>"
        f"<td>{escape(_description(part))}</td></tr>"
        for field, part in schema.get("properties", {}).items()
    )
    head = "<tr><th>Name</th><th>Type</th><th>Description</th></tr>"
    table = f"<table>{head}{rows}</table>" if rows else _type(schema)
    return f'<h3 id="{_anchor(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>{table}'


def _description(schema: Mapping[str, Any]) -> str:
    """Returns the description of a schema, or of its first alternative that has one."""
    parts = (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))
    return next((str(part["description"]) for part in parts if "description" in part), "")


def _type(schema: Mapping[str, Any]) -> str:
    """Returns the type of a schema in one line; a named schema becomes a link."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
        case {"anyOf": [*choices]} | {"oneOf": [*choices]}:
            return " or ".join(map(_type, choices))
        case {"enum": [*values]}:
            return " | ".join(f"<code>{escape(str(value))}</code>" for value in values)
        case {"type": "array"}:
            return f"list of {_type(schema.get('items') or {})}"
    limits = ((name, schema[key]) for key, name in _LIMITS.items() if key in schema)
    shown = "".join(f", {name} {escape(str(limit))}" for name, limit in limits)
    return f"{escape(str(schema.get('format', schema.get('type', 'anything'))))}{shown}"


_LIMITS = {
    "minimum": "minimum",
    "exclusiveMinimum": "greater than",
    "maximum": "maximum",
    "minLength": "minimum length",
    "maxLength": "maximum length",
    "pattern": "pattern",
}


def _anchor(name: str) -> str:
    return escape(name.lower().replace(" ", "-"))
