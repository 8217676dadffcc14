"""Compiled operators on a model hub: pushed when asked, fetched by their id, through huggingface_hub."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from eosdsl.lowering.refusals import refuse

FILES = (
    "README.md",
    "eos_config.json",
    "graph.py",
    "operator.eos",
    "operator.safetensors",
    "plan.json",
    "results.json",
)
"""What an artefact may hold; nothing else is pushed or fetched."""


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    commit_message: str = "Upload a compiled operator",
) -> str:
    """Make the repository if there is none, and upload the folder. The address of the commit.

    Raises:
        SpecError: E0658 where the hub does not take it.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        with _quiet():
            made = api.create_repo(repo_id, private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=made.repo_id,
                folder_path=folder,
                commit_message=commit_message,
                allow_patterns=list(FILES),
            )
    except Exception as problem:  # no network, no permission, a bad name: its kinds of failure all mean the same here
        refuse("E0658", f"{folder} was not pushed to {repo_id}: {_said(problem)}", "the folder itself is written")
    return str(done)


def fetch(repo_id: str, *, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The folder of an operator on the hub, from the local cache or downloaded.

    Raises:
        SpecError: E0657 where it is neither cached nor within reach.
    """
    from huggingface_hub import snapshot_download

    try:
        with _quiet():
            return Path(
                snapshot_download(repo_id, revision=revision, token=token, allow_patterns=list(FILES), etag_timeout=5)
            )
    except Exception as problem:
        refuse("E0657", f"the operator {repo_id} is not in the local cache and cannot be fetched: {_said(problem)}")


def _said(problem: Exception) -> str:
    return " ".join(str(problem).split())[:200] or type(problem).__name__


@contextmanager
def _quiet() -> Generator[None]:
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
