"""A profile is measured on a real model, written, read back and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from spaces import model, processor

from eosdsl.cost.latency import read_profile
from eosdsl.cost.plan import bound_schedule, plan_schedule
from eosdsl.diagnostics import SpecError
from eosdsl.run.profiling import TRIALS, measure
from eosdsl.run.prompt import prepare


def test_a_profile_knows_its_model_and_predicts_plans(tmp_path: Path) -> None:
    inputs: Any = dict(prepare(processor(), "what is this", [Image.new("RGB", (96, 96))]))
    made = measure(model(), inputs, rounds=1)
    assert (made.layers, made.width) == (8, 128) and len(made.table) >= 5 and len(made.trials) == len(TRIALS)
    assert min(made.curve) >= 0 and made.rest >= 0 and made.site >= 0
    assert all(trial.measured > 0 and trial.predicted > 0 for trial in made.trials)
    full = [trial.predicted / trial.predicted_share for trial in made.trials]
    assert full == pytest.approx([full[0]] * len(full)), "shares are of one full prefill, whatever the clock said"
    assert all(trial.measured_share > 0 for trial in made.trials)
    path = tmp_path / "profile.json"
    path.write_text(made.model_dump_json())
    assert read_profile(path) == made
    schedule, _ = bound_schedule("at layer 2: retain 25%", model())
    plan = plan_schedule(schedule, profile=made)
    assert plan.milliseconds is not None and plan.full_milliseconds is not None
    other, _ = bound_schedule("at layer 2: retain 25%", "llava")
    with pytest.raises(SpecError) as problem:
        plan_schedule(other, profile=made)
    assert problem.value.diagnostics[0].code == "E0668"


@pytest.mark.parametrize("text", ["", "{}", '{"eos_profile": 2}', "[1]"])
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(SpecError) as problem:
        read_profile(path)
    assert problem.value.diagnostics[0].code == "E0668"
