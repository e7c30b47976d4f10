"""The part of a page's context that describes its form: the values, the errors and a conflict."""

from collections.abc import Mapping
from typing import Any

from polyant.http.panel.forms import SEEN, Form, FormConflictError, seen_by

_CONFLICT, _INVALID, _OK = 409, 400, 200


def form_context(
    form: Form | None,
    stored: Mapping[str, str],
    values: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    conflict: FormConflictError | None = None,
) -> dict[str, Any]:
    """Returns the variables that templates of forms use, and the status and sentence of their page.

    Args:
        form: The form that wasn't saved; None for a form with the stored values.
        stored: The stored values, by field.
        values: The values to show, by field.
        labels: The labels, by field.
        conflict: The values that somebody else saved while the form was open.
    """
    errors = {} if form is None else form.errors
    return {
        "status": _CONFLICT if conflict is not None else _INVALID if errors else _OK,
        "done_code": "" if form is None else form.draft_code,
        "is_kept": form is not None and SEEN in form,
        "values": values,
        "errors": errors,
        "labels": labels,
        "seen": seen_by(form, stored, conflict=conflict),
        "theirs": None if conflict is None else theirs_of(conflict, values, labels),
    }


def theirs_of(conflict: FormConflictError, typed: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Returns the values that somebody else saved and that differ from the typed ones, by label."""
    return {labels[name]: value for name, value in differing(conflict.stored, typed).items()}


def differing(stored: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """Returns the stored values that differ from the typed ones by more than surrounding blanks, by field."""
    return {name: value for name, value in stored.items() if typed.get(name, "").strip() != value.strip()}
