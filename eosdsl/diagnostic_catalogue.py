"""Every code and its page: gathered from the `CODES` of the rooms and from the docstrings of the rules.

A room keeps its codes where it raises them, in a module named `codes` or `codes_*` or in the module itself; the value
is a title and a Markdown page, as a pair or as one text whose first line is the title.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

# modules outside `codes*.py` that keep their own few
_OTHERS = (
    "eosdsl.reading",
    "eosdsl.writing",
    "eosdsl.allowances",
    "eosdsl.checking",
    "eosdsl.ir.serde",
    "eosdsl.ir.verify",
    "eosdsl.cli.guard",
    "eosdsl.cli.new",
    "eosdsl.cli.explain",
    "eosdsl.rules.registry",
)


@dataclass(frozen=True)
class Page:
    """What `explain` prints for a code. `origin` is the module that keeps it."""

    code: str
    title: str
    body: str
    origin: str

    @property
    def text(self) -> str:
        """The page in Markdown."""
        return f"# {self.code}: {self.title}\n\n{self.body}".rstrip() + "\n"


def explanation(code: str) -> Page | None:
    """The page of a code, or None for an unknown one. Codes are not case-sensitive."""
    return catalogue().get(code.strip().upper())


@cache
def catalogue() -> dict[str, Page]:
    """All pages by code, sorted. Where two places explain one code (`clashes`), the first counts."""
    pages: dict[str, Page] = {}
    for page in _pages():
        pages.setdefault(page.code, page)
    return dict(sorted(pages.items()))


def clashes() -> list[tuple[str, str, str]]:
    """Codes that two places explain, with both: a mistake of the package, or of a plugin."""
    homes: dict[str, str] = {}
    return [(p.code, homes[p.code], p.origin) for p in _pages() if homes.setdefault(p.code, p.origin) != p.origin]


def _pages() -> Iterator[Page]:
    for name in (*_code_modules(), *_OTHERS):
        codes: dict[str, str | tuple[str, str]] = import_module(name).CODES
        for code, text in codes.items():
            title, body = text if isinstance(text, tuple) else _split(text)
            yield Page(code, title, inspect.cleandoc(body), name)
    yield from _rule_pages()


def _code_modules() -> list[str]:
    """Modules of the package named `codes` or `codes_*`, by their files."""
    package = Path(__file__).parent
    files = sorted(package.rglob("codes*.py"))
    return [".".join(("eosdsl", *file.relative_to(package).with_suffix("").parts)) for file in files]


def _rule_pages() -> Iterator[Page]:
    from eosdsl.rules.registry import rules

    for rule in rules():
        title, body = _split(rule.page())
        yield Page(rule.code, title, body, rule.__module__)


def _split(text: str) -> tuple[str, str]:
    title, _, body = inspect.cleandoc(text).partition("\n")
    return title.rstrip("."), body.strip("\n")
