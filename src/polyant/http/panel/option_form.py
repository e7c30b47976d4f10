"""The form of an adapter's options: its values, and the options that it describes."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.catalog import Catalog
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance, JsonObject
from polyant.http.panel.forms import Form
from polyant.http.panel.option_fields import FieldKind, OptionField, fields_of
from polyant.http.panel.option_texts import json_text


class OptionForm:
    """The fields of one adapter.

    Args:
        adapter: The adapter's name.
        options: Validates options, and has the adapter's schema if it is enabled.
    """

    def __init__(self, adapter: str, options: AdapterOptions) -> None:
        self.adapter = adapter
        self._options = options
        schema = options.schemas.get(adapter)
        self.is_known = schema is not None
        """Whether the adapter is enabled and has options."""
        self._fields = () if schema is None else fields_of(schema)
        self._names = {field.name for field in self._fields}

    @property
    def labels(self) -> dict[str, str]:
        """The labels by form field."""
        return {field.id: field.label for field in self._fields}

    def values_of(self, stored: JsonObject) -> dict[str, str]:
        """Returns the values of the form, by field.

        Options that the adapter doesn't know are one value, without a field.
        """
        values = {field.id: field.text_of(stored.get(field.name, UNSET)) for field in self._fields}
        unknown = self.unknown_in(stored)
        return values | ({"": json_text(unknown)} if unknown else {})

    def unknown_in(self, stored: JsonObject) -> JsonObject:
        """Returns the stored options that the adapter doesn't know, such as those of an earlier version."""
        return {name: value for name, value in stored.items() if name not in self._names}

    def fields_for(self, values: Mapping[str, str], stored: JsonObject) -> Sequence[OptionField]:
        """Returns the fields as the page shows them.

        A text with lines gets an area, and a stored value that can't be chosen any more stays a choice.
        """
        return [_shown(field, values.get(field.id, ""), stored) for field in self._fields]

    def options_in(self, form: Form, stored: JsonObject) -> JsonObject:
        """Returns the options that the form describes; its errors are recorded in the form.

        Fields with the value that they showed keep the stored one, which their text may not express exactly.
        """
        shown = self.values_of(stored)
        found = {}
        for field in self._fields:
            typed = form.raw(field.id)
            is_same = field.id not in form or field.is_unchanged(typed, shown[field.id])
            value = stored.get(field.name, UNSET) if is_same else _parsed(form, field, typed)
            means_default = value is None and field.kind is not FieldKind.JSON
            if value is not UNSET and not means_default:
                found[field.name] = value
            elif field.required and field.id not in form.errors:
                form.errors[field.id] = "Enter a value"
        self._record_faults(form, found)
        return found

    def faults_of(self, stored: JsonObject) -> Mapping[str, str]:
        """Returns why turns fail with the stored options, by label; empty if they don't."""
        if not self.is_known or self._options.refusal(self.adapter, stored) is None:
            return {}
        faults = self._options.faults(self.adapter, stored)
        own = {field.label: faults[field.name] for field in self._fields if field.name in faults}
        return own or faults

    def _record_faults(self, form: Form, found: JsonObject) -> None:
        ids = {field.name: field.id for field in self._fields}
        for name, problem in self._options.faults(self.adapter, found).items():
            form.errors.setdefault(ids.get(name, ""), problem)


class AdapterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter in the list of those that have options."""

    name: str
    is_known: bool
    set_names: tuple[str, ...]
    """The options that the instance sets."""
    fails: bool
    """Whether turns fail with the stored options."""


def adapters_with_options(instance: Instance, options: AdapterOptions, catalog: Catalog) -> list[AdapterRow]:
    """Returns the adapters that the instance uses or has options for: provider, Supervisor, tools, then the others."""
    used = options.used_by(instance, providers=catalog.providers, tools=catalog.tools)
    return [_row(name, instance, options) for name in dict.fromkeys([*used, *instance.options])]


def _row(name: str, instance: Instance, options: AdapterOptions) -> AdapterRow:
    stored, form = instance.options.get(name, {}), OptionForm(name, options)
    return AdapterRow(name=name, is_known=form.is_known, set_names=tuple(stored), fails=bool(form.faults_of(stored)))


def _parsed(form: Form, field: OptionField, typed: str) -> object:
    try:
        return field.value_of(typed)
    except InvalidInputError as error:
        form.errors[field.id] = error.message
        return UNSET


def _shown(field: OptionField, text: str, stored: JsonObject) -> OptionField:
    if field.kind is FieldKind.TEXT and "\n" in text:
        return msgspec.structs.replace(field, kind=FieldKind.AREA)
    if field.kind is FieldKind.CHOICE and text not in {"", *field.choices} and field.name in stored:
        return msgspec.structs.replace(field, choices={**field.choices, text: stored[field.name]})
    return field
