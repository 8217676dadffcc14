"""Sites: which layers a statement means, as far as that is known without a model."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.diagnostics import Edit, Fix
from eosdsl.ir.nodes import LayerRef, Where
from eosdsl.ir.quantities import Quantity
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_values import param
from eosdsl.source import Span
from eosdsl.syntax import tree

# No model has more; a range beyond it is a slip, and would only fill memory.
MOST_LAYERS = 10_000


def where(context: Context, site: tree.Site) -> Where | None:
    """The sites of a statement; None after a mistake that was reported."""
    span = context.at(site.span)
    if site.place == "output":
        return Where(stream="encoder_output", span=span)
    if site.place == "input":
        return Where(stream="decoder", layers=(LayerRef(index=0, span=span),), span=span)
    layers, gradual = _layers(context, site)
    if layers is None:
        return None
    choose = _choose(context, site, len(layers)) if site.choose is not None else None
    if site.choose is not None and choose is None:
        return None
    return Where(
        stream=site.tower,
        layers=layers,
        gradual=gradual,
        after_attention=site.after_attention,
        choose=choose,
        span=span,
    )


def _layers(context: Context, site: tree.Site) -> tuple[tuple[LayerRef, ...] | None, bool]:
    """The layers, and whether they are the two ends of a gradual range."""
    if len(site.items) == 1 and site.items[0].last is not None and site.word != "layers" and site.choose is None:
        ends = _range(context, site, site.items[0])
        return ends, True
    if len(site.items) > 1 and site.word == "layer":
        _report_singular(context, site)
        return None, False
    layers: list[LayerRef] = []
    for item in site.items:
        these = _item(context, site, item)
        if these is None:
            return None, False
        layers.extend(these)
    return tuple(layers), False


def _item(context: Context, site: tree.Site, item: tree.LayerItem) -> tuple[LayerRef, ...] | None:
    if item.last is None:
        one = _layer(context, site, item.first)
        return None if one is None else (one,)
    ends = _range(context, site, item)
    if ends is None:
        return None
    first, last = ends
    if first.index is None or last.index is None:
        context.error(
            "E0344",
            "how many layers lie between two depths depends on the model",
            item.span,
            "a range of depths",
            helps=("list the depths, or write `layer depth 25%..depth 75%` for a gradual range",),
        )
        return None
    if last.index - first.index >= MOST_LAYERS:
        context.error("E0344", "no model has so many layers", item.span, f"{last.index - first.index + 1} layers")
        return None
    return tuple(LayerRef(index=i, span=context.at(item.span)) for i in range(first.index, last.index + 1))


def _range(context: Context, site: tree.Site, item: tree.LayerItem) -> tuple[LayerRef, LayerRef] | None:
    assert item.last is not None
    first, last = _layer(context, site, item.first), _layer(context, site, item.last)
    if first is None or last is None:
        return None
    if (first.index is None) != (last.index is None):
        context.error("E0344", "a range goes from index to index, or from depth to depth", item.span, "mixed ends")
        return None
    if (first.index, first.depth) == (last.index, last.depth):
        return first, last
    backwards = (
        first.index > last.index
        if first.index is not None and last.index is not None
        else (first.depth or 0) > (last.depth or 0)
    )
    if backwards:
        _report_backwards(context, item)
        return None
    return first, last


def _report_backwards(context: Context, item: tree.LayerItem) -> None:
    assert item.last is not None
    fix = None
    if isinstance(item.first.value, tree.Number) and isinstance(item.last.value, tree.Number):
        low, high = item.last.value, item.first.value
        edits = (Edit(context.at(high.span), low.text), Edit(context.at(low.span), high.text))
        fix = Fix("swap the ends", edits)
    context.error("E0324", "the range runs backwards", item.span, "write the earlier layer first", fix=fix)


def _layer(context: Context, site: tree.Site, ref: tree.LayerRef) -> LayerRef | None:
    if isinstance(ref.value, tree.Word):
        return _named_layer(context, site, ref.value)
    number = ref.value
    if ref.form == "negative":
        context.error(
            "E0345",
            f"there is no layer -{number.text}",
            ref.span,
            "layers count from 0",
            helps=("`depth 90%` names a layer near the end of any model",),
        )
        return None
    if ref.form == "index" and site.word != "depth":
        return _index(context, number.value, ref.span)
    if ref.form == "index":
        share = number.value * 100 if number.value < 1 else number.value
        near = context.replacement(ref.span, f"{float(share):g}%")
        context.error("E0344", "a depth is a share of the model's layers", ref.span, "expected a percentage", fix=near)
        return None
    if ref.form == "share" and site.word != "depth":
        near = context.replacement(ref.span, f"depth {number.text}")
        context.error("E0344", "a layer is a whole number", ref.span, "a share of the layers is a depth", fix=near)
        return None
    return _depth(context, number.value, ref.span)


def _named_layer(context: Context, site: tree.Site, word: tree.Word) -> LayerRef | None:
    name = word.text
    if name not in context.params:
        if name not in context.legible:
            context.unknown("E0201", "param", word, context.params)
        return None
    found = param(context, name, word.span)
    if found is None:
        return None
    if isinstance(found, Quantity) and found.unit == "number" and site.word != "depth":
        return _index(context, found.value, word.span)
    if isinstance(found, Quantity) and found.unit == "ratio":
        return _depth(context, found.value, word.span)
    context.error("E0204", f"`{name}` is not a layer", word.span, "expected the index of a layer")
    return None


def _index(context: Context, number: Fraction, span: Span) -> LayerRef | None:
    index, parts = number.as_integer_ratio()  # comparing fractions costs more than making them
    if index < 0:
        context.error("E0345", "layers count from 0", span, "negative")
        return None
    if parts != 1:
        context.error("E0344", "a layer is a whole number", span, "not a layer")
        return None
    return LayerRef(index=index, span=context.at(span))


def _depth(context: Context, share: Fraction, span: Span) -> LayerRef | None:
    if not 0 <= share < 1:
        context.error("E0344", "a depth is from 0% to below 100%", span, "no layer is there")
        return None
    return LayerRef(depth=share, span=context.at(span))


def _choose(context: Context, site: tree.Site, layers: int) -> tuple[int, int] | None:
    assert site.choose is not None
    low = site.choose.low.value
    high = low if site.choose.high is None else site.choose.high.value
    span = site.choose.span
    if low.denominator != 1 or high.denominator != 1:
        context.error("E0344", "this counts layers", span, "expected whole numbers")
        return None
    if low > high:
        context.error("E0506", "the count runs backwards", span, "write the smaller number first")
        return None
    if high < 1 or low > layers:
        reason = "none can be chosen" if high < 1 else f"there are only {layers}"
        context.error("E0506", f"no choice of {low} to {high} layers is possible", span, reason)
        return None
    context.open_places.append(context.at(site.span))
    return int(low), min(int(high), layers)


def _report_singular(context: Context, site: tree.Site) -> None:
    context.error(
        "E0116",
        "several layers are written with `layers`",
        site.span,
        "`layer` names one layer, or a gradual range",
        helps=(f"write `{'encoder ' if site.tower == 'encoder' else ''}layers …`",),
    )
