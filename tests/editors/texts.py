"""Everything that highlighters are tried on: all specs that ship, and every example of the language's pages."""

from __future__ import annotations

import re
from pathlib import Path

from eosdsl.resources import resource

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "shared" / "language.md"
_BLOCK = re.compile(r"^```eos[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The examples of the language's first page, for a checkout without that page.
EXAMPLES = """at layer 2..8: retain 25% via mix(merge, prune)

operator visionzip for llava
at encoder output:
  retain 54 tokens by attention(query: cls, heads: sum) via prune
  and retain 10 tokens pick uniform via merge(similarity: cosine(keys), combine: add_mean)

operator pyramiddrop for llava
at layers 8, 16, 24: retain 50%, 25%, 12.5% by attention(query: last, layer: next) via prune with positions: compact

at encoder layers 0..22 after attention:
  remove 16 tokens pick bipartite(on: keys) via merge(weight: size) with proportional_attention

space hybrid for llava
param budget = 64 tokens                       # overridable: --set budget=16
at any 1..3 of layers 0..24:
  retain ? 2%..60%
  by ? * attention(query: last) + ? * attention(query: text) + ? * norm(hidden)
  pick ? {top, diverse, grid(2x2)}
  via mix(? prune, ? merge, ? pool, ? reweight(temperature: ? 0.01..10))
  with attention_bias: ? 0..1.5 * log_size
minimise task + 0.1 * alignment(hidden)
subject to tokens(mean) <= budget, flops <= 30%
search with steps: 600, optimiser: adamw(lr: 0.03), temperature: 2 -> 0.05 along cosine, seed: 0
"""


def specs() -> dict[str, str]:
    """Texts by a name for the test."""
    shipped = {file.name: file.read_text(encoding="utf-8") for file in sorted(resource("specs").rglob("*.eos"))}
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", CONTRACT]
    shown = {
        f"{page.name}:{i}": block
        for page in pages
        if page.is_file()
        for i, block in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8")))
    }
    return {"examples": EXAMPLES, **shipped, **shown}
