"""What a command that goes on to use a spec asks first: is it sound on the model, and what is there to warn of?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from eosdsl.diagnostics import Diagnostic, Severity, SpecError
from eosdsl.source import SourceFile


def warnings_of(
    source: SourceFile,
    model: str,
    settings: Mapping[str, str],
    *,
    allow_outside: bool = False,
    let_pass: Collection[str] = (),
) -> list[Diagnostic]:
    """Warnings of a spec on a model. Raises SpecError with its errors, those apart whose code may pass."""
    from eosdsl.checking import check_source

    found = check_source(source, model, settings=settings, allow_outside=allow_outside)
    errors = [one for one in found if one.is_error and one.code not in let_pass]
    if errors:
        raise SpecError(errors, source)
    return [one for one in found if one.severity is Severity.WARNING]
