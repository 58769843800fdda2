"""Models that are named by their id on the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.errors import NetworkError, TargetMissing, UsageError

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FILE_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_HUB_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


def is_hub_id(source: str) -> bool:
    """Tell an id from a mistyped file name, which must not be looked for on the network."""
    return bool(_HUB_ID.fullmatch(source)) and not source.endswith(_FILE_SUFFIXES)


def download(repository: str) -> Path:
    """Return the local copy of a hub repository's three files, downloading what is not there yet.

    Raises:
        UsageError: this cannot be a repository's name.
        TargetMissing: huggingface_hub is not installed.
        NetworkError: the files are neither in the cache nor to be had.
    """
    if not is_hub_id(repository):
        raise UsageError(f"{repository!r} is no Hugging Face id: it is OWNER/NAME, such as google/mobilenet_v2_1.0_224")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise TargetMissing(
            f'{repository} is no local path; to fetch it from the Hugging Face hub: pip install "edgekit[hub]"'
        ) from error
    try:
        return Path(snapshot_download(repository, allow_patterns=list(_HUB_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NetworkError(
            f"{repository} is no local path, and the Hugging Face hub did not give it: {reason}. "
            "Check the name and the network, or download it elsewhere and give the folder"
        ) from error
