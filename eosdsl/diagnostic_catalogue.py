"""Every code and its page: gathered from the `CODES` of the rooms and from the docstrings of the rules.

A module keeps the codes that it raises, or a `codes.py` beside it does, in a literal `CODES: code → page`. A page is a
title and a Markdown text, as a pair or as one text whose first line is the title. The tables are read, not imported:
looking a code up must not load what raises it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = re.compile(r"^CODES\b", re.MULTILINE)


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
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if not _TABLE.search(text):
            continue
        origin = ".".join(("eosdsl", *file.relative_to(package).with_suffix("").parts))
        for code, page in _table(text).items():
            title, body = page if isinstance(page, tuple) else _split(page)
            yield Page(code, _titled(title), inspect.cleandoc(body), origin)
    yield from _rule_pages()


def _table(text: str) -> dict[str, str | tuple[str, str]]:
    """The literal that a module assigns to CODES."""
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "CODES" and isinstance(node, ast.Assign | ast.AnnAssign):
            return ast.literal_eval(node.value) if node.value is not None else {}
    return {}


def _rule_pages() -> Iterator[Page]:
    from eosdsl.rules.registry import rules

    for rule in rules():
        title, body = _split(rule.page())
        yield Page(rule.code, _titled(title), body, rule.__module__)


def _titled(title: str) -> str:
    """With a capital and without a full stop, whoever wrote it."""
    return (title[:1].upper() + title[1:]).rstrip(".")


def _split(text: str) -> tuple[str, str]:
    title, _, body = inspect.cleandoc(text).partition("\n")
    return title, body.strip("\n")
