"""Repairs the schemas of MCP tools, so that every provider accepts them.

A repair never excludes arguments that the original schema permits: at most it permits more, and the server refuses
those. Providers accept different parts of JSON Schema, so only the parts that all of them accept are kept.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import msgspec

from polyant.adapters.mcp.schema_keywords import implied_types, kept, limits_of, notes_of, types_of

_PROPERTY = re.compile(r"\A[a-zA-Z0-9_.-]{1,64}\Z")
_MAX_DEPTH = 24
_BYTES_A_PART = 64
_ALTERNATIVES = ("anyOf", "oneOf")

Schema = dict[str, Any]


class UnsupportedSchemaError(Exception):
    """A schema can't be repaired; the message says why."""


class SchemaBudget:
    """How much may still be repaired: schemas can refer to themselves and grow without end.

    Args:
        parts: The number of nested schemas; each 64 bytes of a schema's own keywords count as one more.
    """

    def __init__(self, parts: int, parent: "SchemaBudget | None" = None) -> None:
        self.parts = parts
        self._parent = parent

    def limited_to(self, parts: int) -> "SchemaBudget":
        """Returns a budget for one schema, whose parts are taken from this budget, too."""
        return SchemaBudget(parts, self)

    def take(self, keywords: Mapping[str, Any] | None = None) -> None:
        """Subtracts the part of one schema with these keywords.

        Raises:
            UnsupportedSchemaError: Nothing is left.
        """
        parts = 1 + (len(msgspec.json.encode(keywords)) // _BYTES_A_PART if keywords else 0)
        for budget in filter(None, (self, self._parent)):
            budget.parts -= parts
            if budget.parts < 0:
                raise UnsupportedSchemaError("its schema, or those of the server together, have too many parts")


def repaired(schema: Any, budget: SchemaBudget) -> Schema:
    """Returns a tool's schema in a form that providers accept: an object with properties, without references.

    Raises:
        UnsupportedSchemaError: The schema isn't an object's, or is too large.
    """
    if not isinstance(schema, dict):
        raise UnsupportedSchemaError("its schema is not that of an object")
    return _SchemaRepair(schema, budget).root()


class _SchemaRepair:
    def __init__(self, document: Schema, budget: SchemaBudget) -> None:
        self._document = document
        self._budget = budget
        self._open: list[str] = []
        self._depth = 0

    def root(self) -> Schema:
        with self._resolved(self._document) as schema:
            properties, required = self._members(schema)
            types = types_of(schema.get("type"))
            if types and "object" not in types:
                raise UnsupportedSchemaError("its schema is not that of an object")
            for name in properties:
                if not _PROPERTY.match(name):
                    raise UnsupportedSchemaError(
                        "its schema has a property whose name is not 1 to 64 of a-z, A-Z, 0-9, _, . and -"
                    )
            own = kept(schema)
            self._budget.take(own)
            return {"type": "object", **notes_of(own), **self._object(schema, properties, required)}

    def _members(self, schema: Schema) -> tuple[Schema, list[Any]]:
        """Returns the properties and required names of the root, which may not have alternatives itself."""
        if self._depth > _MAX_DEPTH:
            raise UnsupportedSchemaError("its schema is nested too deeply")
        properties = dict(_properties_of(schema))
        required = _list_of(schema, "required")
        for keyword in (*_ALTERNATIVES, "allOf"):
            for branch in _list_of(schema, keyword):
                with self._resolved(branch) as resolved:
                    if isinstance(resolved, dict):
                        self._budget.take()
                        more, needed = self._members(resolved)
                        properties = {**more, **properties}
                        required = [*required, *needed] if keyword == "allOf" else required
        return properties, required

    def _node(self, schema: Any) -> Schema:
        """Returns a nested schema in repaired form; an unreadable one permits everything."""
        with self._resolved(schema) as resolved:
            if not isinstance(resolved, dict):
                self._budget.take()
                return {}
            own = kept(resolved)
            self._budget.take(own)
            types = types_of(resolved.get("type")) or implied_types(resolved)
            if self._depth > _MAX_DEPTH:
                return {
                    **notes_of(own),
                    **({"type": types[0], **self._of_type({}, {}, types[0])} if len(types) == 1 else {}),
                }
            if resolved.get("nullable") is True and types:
                types = tuple(dict.fromkeys((*types, "null")))
            return self._typed(resolved, own, types)

    def _typed(self, schema: Schema, own: Schema, types: tuple[str, ...]) -> Schema:
        combined = self._combined(schema)
        if len(types) == 1:
            return {"type": types[0], **notes_of(own), **self._of_type(schema, own, types[0]), **combined}
        if not types or combined:
            return {**own, **combined}
        alternatives = [{"type": kind, **self._of_type(schema, own, kind)} for kind in types]
        return {**notes_of(own), "anyOf": alternatives}

    def _of_type(self, schema: Schema, own: Schema, kind: str) -> Schema:
        """Returns the keywords of a schema that concern values of one type."""
        result = limits_of(own, kind)
        if kind == "array":
            result["items"] = self._items(schema)
        elif kind == "object":
            result |= self._object(schema, _properties_of(schema), _list_of(schema, "required"))
        return result

    def _object(self, schema: Schema, properties: Mapping[str, Any], required: list[Any]) -> Schema:
        own = {name: part for name, part in properties.items() if part is not False}
        marked = [name for name, part in own.items() if isinstance(part, dict) and part.get("required") is True]
        needed = [name for name in dict.fromkeys((*filter(_is_name, required), *marked)) if name in own]
        result: Schema = {"properties": {name: self._node(part) for name, part in own.items()}}
        if needed:
            result["required"] = needed
        match schema.get("additionalProperties"):
            case False if "patternProperties" in schema:
                pass  # the patterns are left out, so other properties must stay possible
            case bool(value):
                result["additionalProperties"] = value
            case dict(value):
                result["additionalProperties"] = self._node(value)
        return result

    def _items(self, schema: Schema) -> Schema:
        items = schema.get("items")
        by_position = items if isinstance(items, list) else schema.get("prefixItems")
        if not isinstance(by_position, list) or not by_position:
            return self._node(items)
        rest = schema.get("additionalItems") if isinstance(items, list) else items
        maximum = schema.get("maxItems")
        is_closed = rest is False or (isinstance(maximum, int) and maximum <= len(by_position))
        nodes = [self._node(part) for part in (*by_position, *(() if is_closed else (rest,)))]
        return nodes[0] if all(node == nodes[0] for node in nodes) else {"anyOf": nodes} if all(nodes) else {}

    def _combined(self, schema: Schema) -> Schema:
        result: Schema = {}
        for keyword in (*_ALTERNATIVES, "allOf"):
            branches = [self._node(part) for part in _list_of(schema, keyword) if part is not False]
            if keyword == "allOf":
                branches = [branch for branch in branches if branch]
            if branches and all(branches):  # an empty alternative permits everything
                # `oneOf` is rarely supported, and more permissive as `anyOf`.
                result["allOf" if keyword == "allOf" else "anyOf"] = branches
        return result

    @contextmanager
    def _resolved(self, schema: Any) -> Iterator[Any]:
        """Yields the schema with its reference replaced by the referenced schema, or by its type in a cycle."""
        opened, self._depth = len(self._open), self._depth + 1
        try:
            while isinstance(schema, dict) and ("$ref" in schema or _is_wrapper(schema)):
                self._budget.take()
                rest = {name: part for name, part in schema.items() if name not in {"$ref", "allOf"}}
                if "$ref" not in schema:
                    schema = {**schema["allOf"][0], **rest}
                    continue
                reference, target = schema["$ref"], self._target(schema["$ref"])
                if reference in self._open or not isinstance(target, dict):
                    target = {"type": target["type"]} if isinstance(target, dict) and "type" in target else {}
                else:
                    self._open.append(reference)
                schema = {**target, **rest}
            yield schema
        finally:
            del self._open[opened:]
            self._depth -= 1

    def _target(self, reference: Any) -> Any:
        """Returns the referenced part of the document, or None if there is none."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            return None
        part: Any = self._document
        for step in reference[1:].split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
                part = part[int(name)]
            elif isinstance(part, dict):
                part = part.get(name)
            else:
                return None
        return part


def _properties_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the properties; servers in PHP send `[]` if there are none.

    Raises:
        UnsupportedSchemaError: They are neither an object nor null.
    """
    properties = schema.get("properties")
    if properties is None or properties == []:
        return {}
    if not isinstance(properties, dict):
        raise UnsupportedSchemaError("its schema has properties that are not an object")
    return properties


def _list_of(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _is_wrapper(schema: Schema) -> bool:
    """Returns whether `allOf` only adds notes to one schema, as older generators write it."""
    branches = schema.get("allOf")
    return isinstance(branches, list) and len(branches) == 1 and isinstance(branches[0], dict)


def _is_name(value: Any) -> bool:
    return isinstance(value, str)
