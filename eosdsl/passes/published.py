"""Where a published method reduces, for help texts: read from the specs that come with the package."""

from __future__ import annotations

import re

from eosdsl.ir.nodes import LayerRef, Where
from eosdsl.resources import resource


def published_place(name: str) -> str | None:
    """`the published FastV drops at layer 2`, for the name of a method in `specs/methods`; None for any other name."""
    path = resource("specs") / "methods" / f"{name}.eos"
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        return None
    from eosdsl.diagnostics import SpecError
    from eosdsl.parsing import parse

    try:
        program = parse(path)
    except SpecError:
        return None
    title = _title(path.read_text(encoding="utf-8")) or name
    places = [place for step in program.steps if (place := _place(step.where))]
    return f"the published {title} drops at {' and '.join(places)}" if places else None


def _title(text: str) -> str | None:
    """The method's name as its first comment spells it: `# FastV (arXiv …)`."""
    match = re.match(r"\s*#\s*([^\s(:,]+)", text)
    return match[1] if match else None


def _place(where: Where) -> str | None:
    prefix = "encoder " if where.stream == "encoder" else ""
    if where.stream == "encoder_output":
        return "encoder output"
    if not where.layers:
        return "input"
    names = [_layer(ref) for ref in where.layers]
    joined = "..".join((names[0], names[-1])) if where.gradual else ", ".join(names)
    return f"{prefix}{'layers' if len(names) > 1 else 'layer'} {joined}"


def _layer(ref: LayerRef) -> str:
    return str(ref.index) if ref.index is not None else f"depth {float(ref.depth or 0):.4g}"
