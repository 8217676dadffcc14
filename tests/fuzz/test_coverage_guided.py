"""A bounded number of inputs that a coverage-guided fuzzer makes up, starting from the specs that ship."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spec_texts import SPECS

from eosdsl.syntax.keywords import KEYWORDS

RUNS = int(os.environ.get("EOSDSL_FUZZ_RUNS", "5000"))
HERE = Path(__file__).parent
MISSING = importlib.util.find_spec("atheris") is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install '.[fuzz]'"
)
def test_no_input_of_the_fuzzer_breaks_anything(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, text in enumerate(SPECS):
        (corpus / f"{i}.eos").write_text(text, encoding="utf-8")
    words = tmp_path / "words.dict"
    words.write_text("".join(f'"{word} "\n' for word in KEYWORDS), encoding="utf-8")
    options = [f"-runs={RUNS}", "-seed=1", "-max_len=600", "-timeout=60", f"-dict={words}"]
    launched = [sys.executable, str(HERE / "coverage_guided.py"), *options, str(corpus)]
    ended = subprocess.run(launched, capture_output=True, text=True, cwd=tmp_path)
    crashes = [file.read_bytes() for file in tmp_path.glob("crash-*")]
    assert (ended.returncode, crashes) == (0, []), ended.stderr[-4000:]
    assert f"Done {RUNS} runs" in ended.stderr, "the fuzzer stopped early"
