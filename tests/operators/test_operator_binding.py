"""From calls to operators: every mistake is a diagnostic at the argument that is at fault."""

from __future__ import annotations

import sys

import pytest
from building import call, dims, number

from eosdsl.diagnostics import SpecError
from eosdsl.doors import EntryPoint
from eosdsl.ir.quantities import Argument, Call, Open, Quantity, Value, Word
from eosdsl.operators import kinds, registry
from eosdsl.operators.binding import bind_call, check_call
from eosdsl.operators.parameters import parameters
from eosdsl.operators.registry import KINDS, Kind, operators
from eosdsl.operators.scores.attention import Attention, TopHeads
from eosdsl.operators.similarities.cosine import Cosine
from eosdsl.source import SourceFile

TEXT = "attention(query: lats, heads: top(0), rows: 3)"
SOURCE = SourceFile("test", TEXT)


def placed(name: str, value: Value, start: str, whole: str) -> Argument:
    begin = TEXT.index(whole)
    spot = TEXT.index(start, begin)
    spanned = value.model_copy(update={"span": SOURCE.span(spot, spot + len(start))})
    return Argument(name=name, value=spanned, span=SOURCE.span(begin, begin + len(whole)))


def test_values_reach_the_fields_by_name_and_by_place() -> None:
    bound, found = bind_call("scores", call("attention", "cls", layer=3, heads=call("top", 14)))
    assert not found
    assert bound == Attention(query="cls", layer=3, heads=TopHeads(count=14))
    bound, found = bind_call("behaviours", call("merge", similarity=call("cosine", "keys"), weight="mean"))
    assert not found
    assert bound is not None and bound.similarity == Cosine(of="keys")  # pyright: ignore[reportAttributeAccessIssue]


def test_own_parameters_come_before_inherited_ones() -> None:
    bound, found = bind_call("behaviours", call("reweight", 0.2))
    assert not found
    assert bound is not None and bound.temperature == 0.2  # pyright: ignore[reportAttributeAccessIssue]


def test_three_mistakes_give_three_diagnostics_each_at_its_place() -> None:
    arguments = (
        placed("query", Word(name="lats"), "lats", "query: lats"),
        placed("heads", call("top", 0), "top(0)", "heads: top(0)"),
        placed("rows", number(3), "3", "rows: 3"),
    )
    bound, found = bind_call("scores", Call(name="attention", arguments=arguments, span=SOURCE.span(0, len(TEXT))))
    assert bound is None
    by_code = {one.code: one for one in found}
    assert set(by_code) == {"E0221", "E0222", "E0223"}
    shown = {code: TEXT[one.span.start : one.span.end] for code, one in by_code.items() if one.span}
    assert shown["E0222"] == "lats"
    assert shown["E0221"] == "rows"
    fix = by_code["E0222"].fix
    assert fix is not None
    assert fix.message == "write `last`"
    assert fix.edits[0].replacement == "last"


@pytest.mark.parametrize(
    ("kind", "written", "code"),
    [
        ("scores", call("atention"), "E0220"),
        ("picks", call("tops"), "E0220"),
        ("behaviours", call("merge", similarity=call("cosin")), "E0220"),
        ("behaviours", call("prune", similarity=call("cosine")), "E0221"),
        ("scores", call("norm", p="two"), "E0222"),
        ("scores", call("norm", dims(2, 2)), "E0222"),
        ("scores", call("random", 1.5), "E0222"),
        ("scores", call("norm", p=0), "E0223"),
        ("behaviours", call("reweight", temperature=0), "E0223"),
        ("scores", call("norm", "hidden", 2, 3), "E0224"),
        ("scores", call("norm", "hidden", of="keys"), "E0224"),
        ("scores", call("attention", heads=call("top")), "E0225"),
        ("behaviours", Call(name="reweight", arguments=(Argument(name="temperature", value=Open()),)), "E0226"),
    ],
)
def test_each_kind_of_mistake_has_its_code(kind: Kind, written: Call, code: str) -> None:
    bound, found = bind_call(kind, written)
    assert bound is None
    assert [one.code for one in found] == [code]
    assert found[0].is_error


def test_a_space_may_leave_values_open_but_not_wrong() -> None:
    free = Argument(name="temperature", value=Open(low=number(0.01), high=number(10)))
    assert check_call("behaviours", Call(name="reweight", arguments=(free,))) == []
    choice = Open(choices=(Word(name="last"), Word(name="text")))
    assert check_call("scores", Call(name="attention", arguments=(Argument(name="query", value=choice),))) == []
    wrong = Open(choices=(Word(name="last"), Word(name="txt")))
    found = check_call("scores", Call(name="attention", arguments=(Argument(name="query", value=wrong),)))
    assert [one.code for one in found] == ["E0222"]
    needed = Call(
        name="attention", arguments=(Argument(name="heads", value=call("top", 1)), Argument(name="q", value=Open()))
    )
    assert [one.code for one in check_call("scores", needed)] == ["E0221"]
    inner = Call(name="top", arguments=(Argument(value=Open()),))
    assert check_call("scores", call("attention", heads=inner)) == []


def test_ratios_are_numbers_and_tokens_are_not() -> None:
    half = Quantity(value=number(0.5).value, unit="ratio")
    bound, found = bind_call("behaviours", call("reweight", temperature=half))
    assert not found and bound is not None
    _, found = bind_call("behaviours", call("reweight", temperature=Quantity(value=number(2).value, unit="tokens")))
    assert [one.code for one in found] == ["E0222"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_loads_has_a_page_and_describes_its_parameters(kind: Kind) -> None:
    for name, operator in operators(kind).items():
        assert operator.name == name
        assert operator.__doc__ and operator.__doc__.strip()
        for parameter in parameters(operator):
            assert parameter.description, f"{name}.{parameter.name} needs a description"
            assert parameter.accepts.describe()


def test_naming_an_operator_does_not_import_torch() -> None:
    import subprocess

    program = (
        "import sys; from eosdsl.operators.registry import KINDS, operators\n"
        "loaded = [operator for kind in KINDS for operator in operators(kind).values()]\n"
        "sys.exit('torch' in sys.modules or not loaded)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_broken_plugin_is_a_diagnostic_when_it_is_used_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "no.such.module:Thing", "eosdsl.scores")
    stranger = EntryPoint("stranger", "pathlib:Path", "eosdsl.scores")
    real = list(kinds.entry_points(group="eosdsl.scores"))

    def doors(group: str) -> list[EntryPoint]:
        return [*real, broken, stranger]

    monkeypatch.setattr(kinds, "entry_points", doors)
    kinds.doors.cache_clear()
    offered = registry.Registry("scores")
    kinds.doors.cache_clear()
    assert "broken" in offered and offered["norm"].name == "norm"
    for name in ("broken", "stranger"):
        with pytest.raises(SpecError) as caught:
            offered[name]
        assert [one.code for one in caught.value.diagnostics] == ["E0227"]
