"""The score that is taken where no `by` is written: it depends on the site and on the model's CLS token."""

from __future__ import annotations

from eosdsl.ir.quantities import Argument, Call, Word
from eosdsl.ir.schedule import Site
from eosdsl.models.facts import ModelFacts

_LAST = Call(name="attention", arguments=(Argument(name="query", value=Word(name="last")),))
_CLS = Call(name="attention", arguments=(Argument(name="query", value=Word(name="cls")),))
_NORM = Call(name="norm", arguments=(Argument(value=Word(name="hidden")),))
_WRITTEN = ((_LAST, "attention(query: last)"), (_CLS, "attention(query: cls)"), (_NORM, "norm(hidden)"))


def default_score(site: Site, facts: ModelFacts) -> Call:
    """Attention of the prompt's last row in the decoder, of the CLS token in a tower that has one, else the norm.

    Before the first layer of a stack no attention has been computed: there it is the norm as well.
    """
    if site.layer == 0 and not site.after_attention:
        return _NORM
    if site.stream == "decoder":
        return _LAST
    return _CLS if facts.encoder and facts.encoder.has_cls else _NORM


def score_text(score: Call) -> str:
    """A default score as it is written."""
    return next(text for known, text in _WRITTEN if known == score)
