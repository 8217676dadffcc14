"""`eosdsl graph`: the flow of tokens through a spec, drawn."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import missing_package, say, settings_of, spec_source
from eosdsl.cli.options import (
    AllowOutside,
    Color,
    ColorMode,
    Model,
    Quiet,
    Settings,
    Spec,
    StdinFilename,
    Verbose,
)
from eosdsl.diagnostics import SpecError

if TYPE_CHECKING:
    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
    from eosdsl.ir.schedule import Schedule
    from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl graph fastv.eos                                       a tree of text
eosdsl graph fastv.eos --model llava                         with tokens counted
eosdsl graph fastv.eos --model llava --format html -o g.html one page, opens in any browser
eosdsl graph fastv.eos --format mermaid                      for Markdown
eosdsl graph fastv.eos --format dot | dot -Tpdf -o g.pdf
eosdsl graph --map specs/methods --format html -o map.html   all methods as points of one space
"""


class GraphFormat(StrEnum):
    TREE = "tree"
    DOT = "dot"
    MERMAID = "mermaid"
    SVG = "svg"
    HTML = "html"
    JSON = "json"


def command(
    spec: Spec,
    model: Model = None,
    form: Annotated[GraphFormat, typer.Option("--format", "-f", help="How it is drawn.")] = GraphFormat.TREE,
    map_: Annotated[
        bool, typer.Option("--map", help="SPEC is a folder: draw its specs as points of one space (svg, html, json).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write there instead.", show_default=False)
    ] = None,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw how tokens flow through a spec: sites, scores, reducers; with --model, as wide as tokens flow."""
    from eosdsl.parsing import parse_source

    if map_:
        _emit(_map(spec, form), out, quiet)
        return
    source = spec_source(spec, stdin_filename)
    program = parse_source(source, settings=settings_of(set_), allow_outside=allow_outside)
    _emit(_drawn(program, _schedule(program, model, source), form, source.text), out, quiet)


def _emit(text: str, out: Path | None, quiet: bool) -> None:
    if out is None:
        say(text)
        return
    from eosdsl.writing import write_text

    write_text(out, text + "\n")
    if not quiet:
        sys.stderr.write(f"wrote {out}\n")


def _map(folder: str, form: GraphFormat) -> str:
    """The specs below a folder (or one spec) as points. Raises SpecError for the first that cannot be read."""
    from eosdsl.cli.specs import expand
    from eosdsl.parsing import parse
    from eosdsl.views import method_map

    if form in (GraphFormat.DOT, GraphFormat.MERMAID):
        raise typer.BadParameter("a map is drawn as svg, html or json", param_hint="--format")
    found = method_map.points(parse(Path(one)) for one in expand([folder]))
    if form is GraphFormat.HTML:
        return method_map.page(found)
    return method_map.as_json(found) if form is GraphFormat.JSON else method_map.svg(found)


def _schedule(program: DiscreteProgram | RelaxedProgram, model: str | None, source: SourceFile) -> Schedule | None:
    """The program on the model. Raises SpecError with the source; a space has no one schedule and is drawn without."""
    from eosdsl.ir.nodes import DiscreteProgram

    if model is None or not isinstance(program, DiscreteProgram):
        return None
    from eosdsl.models.registry import facts
    from eosdsl.passes.bind import bind

    schedule, found = bind(program, facts(model))
    if schedule is None:
        raise SpecError([d for d in found if d.is_error], source)
    return schedule


def _drawn(program: DiscreteProgram | RelaxedProgram, schedule: Schedule | None, form: GraphFormat, spec: str) -> str:
    try:
        from eosdsl.views.graph.build import flow_graph
    except ModuleNotFoundError as problem:
        raise missing_package("networkx", "drawing") from problem
    graph = flow_graph(program, schedule)
    match form:
        case GraphFormat.TREE:
            from eosdsl.views.graph.tree import tree

            return tree(graph)
        case GraphFormat.DOT:
            from eosdsl.views.graph.dot import dot

            return dot(graph)
        case GraphFormat.MERMAID:
            from eosdsl.views.graph.mermaid import mermaid

            return mermaid(graph)
        case GraphFormat.SVG:
            from eosdsl.views.graph.svg import svg

            return svg(graph)
        case GraphFormat.HTML:
            from eosdsl.views.graph.page import page

            return page(graph, spec)
        case GraphFormat.JSON:
            from eosdsl.views.graph.node_link import node_link

            return node_link(graph)
