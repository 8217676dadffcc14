"""Errors of names, types, token flow and spaces that need no model: code → (title, page in Markdown)."""

from __future__ import annotations

CODES: dict[str, tuple[str, str]] = {
    "E0112": (
        "two headers in one file",
        """\
A file holds one operator or one space, of one version. Put the second into a file of its own, and take it in
with `use "other.eos"` where both are wanted.
""",
    ),
    "E0113": (
        "an unknown version of the language",
        """\
`eos 1` states the version that a file is written in. A newer eosdsl may know newer versions.

```eos
eos 7   # wrong: `eos 1`
```
""",
    ),
    "E0114": (
        "an empty spec",
        """\
There is nothing but white space and comments. The shortest program is one line.

```eos
at layer 2..8: retain 25% via mix(merge, prune)
```
""",
    ),
    "E0116": (
        "`layer` with several layers",
        """\
`layer` names one layer, or a range over which one budget is spread gradually; several layers are `layers`.

```eos
at layer 8, 16: retain 50%, 25%    # wrong
at layers 8, 16: retain 50%, 25%
```
""",
    ),
    "E0201": (
        "no such param",
        """\
A name that is not built in stands for a `param` of this spec, or of a file that it uses; `--set NAME=VALUE`
gives one another value.

```eos
param budget = 64 tokens
at layer 2: retain budgett   # wrong
at layer 8: retain budget
```
""",
    ),
    "E0202": (
        "something is said twice",
        """\
A name stands for one thing, and a space has one objective and one `search with`.

```eos
param budget = 64 tokens
param budget = 16 tokens   # wrong
```
""",
    ),
    "E0203": (
        "something is defined by itself",
        """\
Params and named scores are put in where their names stand; a circle has no end.

```eos
score a = 0.5 * b + norm(hidden)   # wrong: a → b → a
score b = 0.5 * a
```
""",
    ),
    "E0204": (
        "a value of the wrong kind or unit",
        """\
Tokens, shares, layers, FLOPs, bytes and plain numbers are different things. A budget is a share or tokens; a
weight is a plain number; a bound is in the unit of what it bounds.

```eos
at layer 2: retain 64          # wrong: 64 what?
at layer 8: retain 64 tokens
```
""",
    ),
    "E0205": (
        "an unknown word",
        """\
Here only certain words have a meaning: curves (`along cosine`), bases (`of incoming`), values of options,
measures (`tokens(mean)`), optimisers. The message lists them.

```eos
at layer 2..8: retain 100% -> 10% along cosin   # wrong
at layer 2..8: retain 100% -> 10% along cosine
```
""",
    ),
    "E0206": (
        "an option that is not one",
        """\
`with` takes `positions`, `order`, `attention_bias`, `proportional_attention`, `sizes` and `keep cls`; `search
with` takes its own settings. Each has a colon and a value.

```eos
at layer 2: retain 50% via merge with position: mean    # wrong
at layer 8: retain 50% via merge with positions: mean
```
""",
    ),
    "E0207": (
        "an expression where one value is expected",
        """\
Sums, products and ramps have their places: sums after `by`, `score NAME =` and `minimise`; ramps after `retain`
and in `search with`. Elsewhere a value is one number, name or call.

```eos
at layer 2: retain 50% by normalise(norm(keys) + position)   # wrong
at layer 8: retain 50% by normalise(norm(keys)) + normalise(position)
```
""",
    ),
    "E0208": (
        "the shares of a mix do not add up",
        """\
Shares are parts of 1. Less than 1 is fine (the rest is dropped), more cannot be. Names without a share get
equal parts of what is left, so something has to be left for them.

```eos
at layer 2: retain 50% via mix(0.8 merge, 0.4 prune)   # wrong
at layer 8: retain 50% via mix(0.6 merge, 0.4 prune)
```
""",
    ),
    "E0209": (
        "an option that is given twice",
        """\
A site has one bookkeeping, also where its statement has several groups.

```eos
at layer 2: retain 50% with positions: keep, positions: mean   # wrong
at layer 8: retain 50% with positions: mean
```
""",
    ),
    "E0210": (
        "a used file cannot be read",
        """\
`use` names a file by its path, relative to the file that it is written in. The message gives the system's
reason.
""",
    ),
    "E0211": (
        "files that use each other in a circle",
        """\
`use` takes in another file's statements; a circle of files has no end. The label names the files.
""",
    ),
    "E0212": (
        "a used file outside the spec's folder",
        """\
A spec may use the files beside and below it. This keeps a spec from elsewhere from reading other files of
yours. Copy the file into the folder, or allow it once with `--allow-outside`.
""",
    ),
    "E0213": (
        "`use` in a text without a file",
        """\
Paths are relative to the file that they are written in; a text that was passed as a string has no folder. Save
it as a file, and pass that file.
""",
    ),
    "E0215": (
        "a name that is taken",
        """\
Scores, picks, behaviours and budgets of the language keep their names, so that a spec reads the same
everywhere.

```eos
score norm = 0.5 * position   # wrong
score worth = 0.5 * position
```
""",
    ),
    "E0216": (
        "a setting that cannot be read",
        """\
`--set NAME=VALUE` takes a value as it would stand after `param NAME =`: `16`, `16 tokens`, `25%`, `merge`. A
bare number takes the unit that the spec gives the param.
""",
    ),
    "E0340": (
        "nothing is retained",
        """\
`retain 0%` is taken for a slip. To drop every visual token at a site, say so: `remove all`.

```eos
at layer 16: retain 0%    # wrong
at layer 24: remove all
```
""",
    ),
    "E0341": (
        "a share of more than 100%",
        """\
Shares are of the visual tokens that the image started with (or of those that arrive, with `of incoming`); there
are no more than all of them.

```eos
at layer 2: retain 150%   # wrong
at layer 8: retain 50%
```
""",
    ),
    "E0342": (
        "two statements at one site",
        """\
What happens at a site is one statement, so that its order is clear. A second group of anchors with its own
budget and behaviour follows after `and`; the last layer of a gradual range is a site of that range.

```eos
at layer 2: retain 50% via prune       # wrong: twice at layer 2
at layer 2: retain 10 tokens via merge
```

```eos
at layer 2: retain 50% via prune and retain 10 tokens via merge
```
""",
    ),
    "E0343": (
        "a look at the layer before the first",
        """\
Attention and keys are read from the layer before the site, unless `layer: next` is written. Before layer 0
there is none. Rate by what is there: hidden states, or the layer that is about to run.

```eos
at input: retain 50% by attention(query: last)   # wrong
at layer 2: retain 50% by attention(query: last, layer: next)
```
""",
    ),
    "E0344": (
        "not a layer",
        """\
A layer is a whole number from 0, the index of the module that runs; `depth 25%` names one relative to the
model's depth.

```eos
at layer 25%: retain 50%   # wrong
at depth 25%: retain 50%
```
""",
    ),
    "E0345": (
        "a negative number",
        """\
Layers, budgets, shares and strengths start at zero. A score may have a negative weight: `a - 0.5 * b`.

```eos
at layer -1: retain 50%    # wrong
at depth 95%: retain 50%
```
""",
    ),
    "E0347": (
        "a ramp at one place",
        """\
`100% -> 10%` and `along` spread a budget over several layers; at one place there is nothing to spread it over.

```eos
at layer 2: retain 100% -> 10%       # wrong
at layer 2..8: retain 100% -> 10%
```
""",
    ),
    "E0348": (
        "no budget",
        """\
Every group says how many tokens stay. Only `pick grid(2x2)` brings its own count.

```eos
at layer 2: via merge                  # wrong
at layer 8: retain 25% via merge
```
""",
    ),
    "E0501": (
        "an open value in an operator",
        """\
An operator can be run as it stands; `?` and `any` leave something to a search. Write `space` in the header, or
decide the value.

```eos
operator mine
at layer 2: retain ? 2%..60%   # wrong
```
""",
    ),
    "E0502": (
        "a search in an operator",
        """\
`minimise`, `subject to` and `search with` say how to search a space. An operator states what it promises with
`expect`.

```eos
operator mine
at layer 2: retain 25%
minimise task   # wrong: `expect tokens(mean) <= 192`
```
""",
    ),
    "E0503": (
        "an impossible hole",
        """\
Bounds go from lower to higher, choices are different from each other, and a prior is one of what is possible.

```eos
space mine
at layer 2: retain ? 60%..2%   # wrong
at layer 8: retain ? 2%..60%
```
""",
    ),
    "E0504": (
        "a search setting out of range",
        """\
Steps, batches and seeds are whole numbers, and a search takes at least one step; temperatures are positive.

```eos
search with steps: 0   # wrong: `steps: 600`
```
""",
    ),
    "E0505": (
        "what cannot be left open",
        """\
Budgets, picks, behaviours, shares, weights, parameters, the strength of the attention bias and the place (`any
1..3 of layers …`) can be open. Of scores the weights are: a search over `? * a + ? * b` finds which matters.

```eos
space mine
at layer 2: retain 25% by ?    # wrong
at layer 8: retain 25% by ? * attention(query: last) + ? * norm(hidden)
```
""",
    ),
    "E0506": (
        "an impossible choice of layers",
        """\
`any n..m of layers …` chooses from n to m of the layers that follow; there have to be as many.

```eos
space mine
at any 3..1 of layers 0..24: retain 25%   # wrong
```
""",
    ),
    "E0507": (
        "a space that leaves nothing open",
        """\
There is nothing to search: this is an operator. Write `operator` in the header, or open a value with `?`.
""",
    ),
    "E0508": (
        "`expect` in a space",
        """\
`expect` is checked when an operator is compiled. What a search has to respect stands after `subject to`; the
operators that it derives carry it as `expect`.
""",
    ),
}
