"""A toy search as a program of its own, to be killed or launched several times: `toy_run.py FOLDER STEPS [BATCH]`.

Prints every step; the process that leads ends with its parameters as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from toy import Toy, tokens_below, trainer

from eosdsl.searching.processes import launched
from eosdsl.searching.settings import Settings


def main(folder: str, steps: str, batch: str = "4") -> None:
    toy = Toy()
    processes = launched()
    settings = Settings(steps=int(steps), batch=int(batch), rate=0.05, checkpoint=3)
    run = trainer(toy, settings, tokens_below(40), folder=Path(folder), processes=processes)
    run.resume()
    run.run(lambda row: print("step", row["step"], flush=True))
    if processes.leads:
        found = {name: value.tolist() for name, value in toy.module.named_parameters()}
        print(json.dumps({**found, "world": [processes.world]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
