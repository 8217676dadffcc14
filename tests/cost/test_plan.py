"""The plan as an object: what it takes, says and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import eosdsl
from eosdsl.cost.plan import Plan, plan
from eosdsl.diagnostics import SpecError
from eosdsl.models.registry import facts

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"


def refused(text: str, model: object = "llava") -> list[str]:
    with pytest.raises(SpecError) as caught:
        plan(text, model)
    assert caught.value.source is not None
    return [d.code for d in caught.value.diagnostics]


def test_public_name() -> None:
    assert eosdsl.plan is plan


def test_fastv() -> None:
    made = plan(FASTV, "llava")
    assert (made.program, made.model, made.family) == ("fastv", "llava-1.5-7b", "llava")
    assert made.tokens_per_layer == (576,) * 2 + (288,) * 30
    assert made.least_tokens_per_layer == made.tokens_per_layer
    assert made.mean_tokens == 306
    assert made.tokens_ratio == 306 / 576
    assert made.ratio == made.flops / made.full_flops == made.macs.total / made.full_macs.total
    assert made.speedup_bound == pytest.approx(1 / made.ratio)
    assert made.full_macs.reducers == 0
    assert "1 MAC = 2 FLOPs" in made.convention and "64 text tokens" in made.convention


def test_programs_paths_and_texts_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "fastv.eos"
    file.write_text(FASTV)
    made = plan(FASTV, "llava")
    assert made == plan(eosdsl.parse(FASTV), "llava") == plan(file, "llava") == plan(str(file), facts("llava"))


def test_it_is_frozen_and_goes_through_json() -> None:
    made = plan(FASTV, "llava")
    with pytest.raises(ValidationError):
        made.images = 2  # pyright: ignore[reportAttributeAccessIssue]  # that is the point
    text = made.to_json()
    assert Plan.model_validate_json(text) == made
    values = json.loads(text)
    assert values["tokens_per_layer"] == list(made.tokens_per_layer)
    assert values["flops"] == made.flops and values["macs"]["total"] == made.macs.total
    assert max(map(len, text.splitlines())) < 700


@pytest.mark.parametrize(
    ("text", "servable", "before", "reads"),
    [
        (FASTV, True, False, True),
        ("at layer 2: retain 50% by norm(hidden)\n", True, False, False),
        ("at input: retain 50%\n", True, True, False),
        ("at encoder output: retain 50%\n", True, True, False),
        ("at encoder output: retain 50%\nat layer 2: retain 25%\n", True, False, True),
    ],
)
def test_what_servers_ask(text: str, servable: bool, before: bool, reads: bool) -> None:
    made = plan(text, "llava")
    assert (made.servable, made.before_decoder, made.reads_text) == (servable, before, reads)


def test_retaining_everything_costs_what_the_model_costs() -> None:
    made = plan("at layer 2: retain 100% by random(seed: 0)\n", "llava")
    assert made.macs.decoder == made.full_macs.decoder
    assert made.kv_cache_ratio == made.prefill_ratio == made.decoder_speedup_bound == 1


def test_text_tokens_dilute_the_saving() -> None:
    short, long = (plan(FASTV, "llava", text_tokens=n) for n in (0, 4096))
    assert short.prefill_ratio < long.prefill_ratio < 1
    assert short.macs.decoder == short.macs.decoder_visual


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("at layer 40: retain 50%\n", "E0302"),
        ("operator x for qwen2_vl\nat layer 2: retain 50%\n", "E0401"),
        ("at layer 2: retain 50%\nexpect tokens(mean) <= 64\n", "E0330"),
        ("space x for llava\nat layer 2: retain ? 2%..60%\n", "E0332"),
    ],
)
def test_refusals(text: str, code: str) -> None:
    assert refused(text) == [code]


def test_mistakes_of_the_text_come_as_they_are() -> None:
    assert all(code.startswith(("E01", "E02")) for code in refused("at layer two: retian 50%\n"))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        plan(tmp_path / "none.eos", "llava")
    assert [d.code for d in caught.value.diagnostics] == ["E0601"]


def test_neither_torch_nor_transformers_is_touched() -> None:
    script = (
        "import sys, eosdsl\n"
        f"eosdsl.plan({FASTV!r}, 'llava').to_json()\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_adaptive_budgets_are_planned_at_their_most_and_say_their_least() -> None:
    made = plan("at layer 2: retain mass 90%\nat layer 8: retain 64 tokens\n", "llava")
    assert not made.servable and made.adaptive
    assert made.tokens_per_layer == (576,) * 8 + (64,) * 24
    assert made.least_tokens_per_layer == (576,) * 2 + (1,) * 30
    assert made.least_flops < made.flops
    static = plan(FASTV, "llava")
    assert static.servable and not static.adaptive and static.least_flops == static.flops
