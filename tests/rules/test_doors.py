"""Entry points read from the folders of packages: the same as importlib.metadata finds."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from eosdsl.doors import EntryPoint, entry_points
from eosdsl.rules.registry import rules

GROUPS = ("scores", "picks", "behaviours", "similarities", "supports", "budgets", "rules", "models", "tasks")


@pytest.mark.parametrize("group", [f"eosdsl.{name}" for name in GROUPS])
def test_the_same_as_the_library_finds(group: str) -> None:
    known = {(p.name, p.value, p.group) for p in metadata.entry_points(group=group)}
    assert {(p.name, p.value, p.group) for p in entry_points(group=group)} == known


def test_a_package_beside_is_found_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "Fake_Plugin-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[console_scripts]\nx = y:z\n\n# a comment = no row\n[ eosdsl.odd ]\nmine = fake_plugin:Outer.inner [extra]\n"
    )
    (tmp_path / "fake_plugin.py").write_text("class Outer:\n    inner = 42\n")
    older = tmp_path / "later" / "fake.plugin-0.9.dist-info"
    older.mkdir(parents=True)
    (older / "entry_points.txt").write_text("[eosdsl.odd]\nmine = old:Thing\n")
    broken = tmp_path / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "entry_points.txt").write_bytes(b"[eosdsl.odd]\nmine = \xff\xfe")
    monkeypatch.syspath_prepend(str(tmp_path / "later"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (point,) = entry_points(group="eosdsl.odd")
    assert point == EntryPoint("mine", "fake_plugin:Outer.inner", "eosdsl.odd", "fake-plugin")
    assert point.load() == 42


def test_a_rule_that_does_not_load_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    from eosdsl.checking import check
    from eosdsl.rules import registry

    real = entry_points(group="eosdsl.rules")
    bad = (EntryPoint("gone", "no.such:Rule", "eosdsl.rules"), EntryPoint("odd", "pathlib:Path", "eosdsl.rules"))
    monkeypatch.setattr(registry, "entry_points", lambda group: [*real, *bad])
    registry.forget()
    try:
        found = check("at layer 2: retain 50% by norm(hidden)")
        assert [d.code for d in found] == ["E0612", "E0612"]
        assert len(rules()) == len(real)
    finally:
        monkeypatch.undo()
        registry.forget()


def test_a_rule_that_fails_is_a_finding_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from eosdsl.checking import check
    from eosdsl.rules.zero_weight import ZeroWeight

    def fail(*_: object) -> None:
        raise RuntimeError("of no use")

    monkeypatch.setattr(ZeroWeight, "check_program", fail)
    found = check("at layer 2: retain 50% by 0 * norm(hidden) + norm(hidden) + norm(hidden)")
    assert sorted(d.code for d in found) == ["E0612", "W0380", "W0380"]
    assert "of no use" in next(d for d in found if d.code == "E0612").notes[1]
