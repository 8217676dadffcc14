"""A config from the Hugging Face hub: from the local cache, else downloaded, else one clear message."""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from eosdsl.diagnostics import SpecError, error

_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_SECONDS = 5


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form `owner/model`."""
    return bool(_HUB_ID.fullmatch(name)) and ".." not in name


def hub_config(hub_id: str) -> Path:
    """The `config.json` of a hub model, on this disk.

    Raises:
        SpecError: E0647 where it is neither cached nor within reach, or the hub does not give it.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(hub_id, "config.json")
    if isinstance(cached, str):
        return Path(cached)
    _refuse_offline(hub_id)
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return Path(hf_hub_download(hub_id, "config.json", etag_timeout=_SECONDS))
    except Exception as problem:  # its many kinds of failure all mean the same here
        raise _unreachable(hub_id, " ".join(str(problem).split())[:200]) from problem
    finally:
        logger.setLevel(level)


def _refuse_offline(hub_id: str) -> None:
    """Fail in seconds where the hub is out of reach: its client would retry for half a minute, noisily."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise _unreachable(hub_id, "HF_HUB_OFFLINE is set")
    address = urlsplit(constants.ENDPOINT)
    if getproxies() or not address.hostname:
        return
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=_SECONDS).close()
    except OSError as problem:
        raise _unreachable(hub_id, f"no connection to the hub ({problem.strerror or problem})") from problem


def _unreachable(hub_id: str, reason: str) -> SpecError:
    helps = (
        "`eosdsl models` lists the models whose configs come with the package",
        "a local folder with a config.json works too; write ./ before its name",
    )
    return SpecError(
        [
            error(
                "E0647", f"model {hub_id} is not in the local cache and cannot be fetched", notes=(reason,), helps=helps
            )
        ]
    )
