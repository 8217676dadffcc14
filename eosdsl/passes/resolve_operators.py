"""The door to the operators: are a call's name and arguments right? Torch-free, each distinct call asked once."""

from __future__ import annotations

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.quantities import Call
from eosdsl.operators.kinds import Kind, doors
from eosdsl.operators.verdicts import known_traits, traits
from eosdsl.passes.resolve_context import Context

# Names that the language has: where no operator is installed for one yet it can be written and formatted all the same,
# and whoever would have to run it refuses it by name.
LANGUAGE: dict[Kind, frozenset[str]] = {
    "scores": frozenset(
        {
            "attention", "norm", "similarity", "relevance", "pagerank", "position", "random", "learned", "normalise",
            "negate", "raw",
        }
    ),
    "picks": frozenset(
        {
            "top", "uniform", "alternate", "grid", "diverse", "dpp", "repel", "distinct", "density_peaks", "bipartite",
            "random",
        }
    ),
    "behaviours": frozenset({"prune", "merge", "pool", "reweight"}),
    "budgets": frozenset({"outliers", "mass", "rank", "distance"}),
}  # fmt: skip


def known_names(kind: Kind) -> frozenset[str]:
    """All names of a kind: the language's own and those of installed packages."""
    return LANGUAGE.get(kind, frozenset()) | frozenset(doors(kind))


def check_operator(context: Context, kind: Kind, call: Call) -> None:
    """Report what is wrong with a call of an operator; open values pass."""
    key = (kind, call)
    if key in context.checked:
        return
    found = [] if _is_only_named(kind, call) else _mistakes(kind, call)
    if not found:
        context.checked.add(key)
    context.found.extend(found)


def reads_previous_layer(kind: Kind, call: Call) -> bool:
    """Whether an operator reads attention, keys or values of the layer before the site."""
    if kind not in ("scores", "picks", "behaviours") or call.name not in doors(kind):
        return False
    return "reads previous" in (traits(kind, call) or ())


def _is_only_named(kind: Kind, call: Call) -> bool:
    """Whether a name belongs to the language and nobody offers an operator for it."""
    return call.name not in doors(kind) and call.name in LANGUAGE.get(kind, frozenset())


def _mistakes(kind: Kind, call: Call) -> list[Diagnostic]:
    if known_traits(kind, call) is not None:
        return []
    from eosdsl.operators.binding import check_call

    return check_call(kind, call)
