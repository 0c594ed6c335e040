"""Names of hub repositories in place of folders, and pushing, against a hub on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from omegaconf import OmegaConf
from transformers import AutoModel

from emollama.assets import hub as hubs
from emollama.assets.hub import artefact_folder, local_folder, pinned_name, repository
from emollama.assets.registry import need_llm
from emollama.base.errors import EmollamaError
from emollama.base.paths import STREAMS_FOLDER
from emollama.llm.backbone import resolve_llm
from emollama.llm.interop.export import export
from emollama.llm.interop.prompt_embeddings import PROJECTORS_FILE
from emollama.llm.modeling import EmotionLlama
from emollama.runs.push import push
from tests.hub import TOKEN, Hub, running_hub

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models/people"
STORED = ROOT / "tests/compat/stored"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, an empty cache, and no token; the folder of the test is the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("EMOLLAMA_NO_HUB", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    hubs._snapshot.cache_clear()
    with running_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_an_artefact_is_fetched_by_name_without_code_and_pickles(hub: Hub) -> None:
    harmful = {"evil.py": b"1/0", "pytorch_model.bin": b"\x80", "sub/x.json": b"{}", ".git": b""}
    repository = hub.add("alice/fused", {**files_of(SHIPPED / "fusion"), **harmful})
    folder = artefact_folder(Path("alice/fused"))
    assert files_of(folder) == files_of(SHIPPED / "fusion")
    assert {f.rsplit("/", 1)[1] for f in hub.fetched} == files_of(SHIPPED / "fusion").keys()
    assert pinned_name(folder) == f"alice/fused@{repository.commit}"
    before = list(hub.fetched)
    hubs._snapshot.cache_clear()
    assert artefact_folder(Path(f"alice/fused@{repository.commit}")) == folder
    assert hub.fetched == before


def test_a_language_model_is_fetched_by_name(hub: Hub) -> None:
    hub.add("alice/base", files_of(STORED / "llm"))
    need_llm("alice/base")
    assert files_of(resolve_llm("alice/base")) == files_of(STORED / "llm")


def test_paths_of_this_machine_are_not_asked_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "runs/mine").mkdir(parents=True)
    for path in (
        "runs/mine",
        "runs/patient-7",
        "/runs/x",
        "a/b/c",
        "model",
        "../a/b",
        "a b/c",
        "a/b.pth",
    ):
        assert repository(path) is None
    # A revision names a file of the cache.
    assert repository("alice/x@a/../../../../b") is None and repository("alice/x@../b") is None
    assert repository("alice/x") == ("alice/x", None)
    assert repository("runs/x@v1.0") == ("runs/x", "v1.0")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("alice/none", "alice/none: is neither a folder here nor a repository on http://127"),
        ("alice/secret", "log in with 'hf auth login'"),
        ("alice/gated", "accepts the terms at http://127"),
        ("alice/pickled@v2", "has no revision 'v2'"),
        ("alice/pickled", r"holds no \*.safetensors"),
    ],
)
def test_what_is_not_there_is_one_line(hub: Hub, name: str, told: str) -> None:
    hub.add("alice/secret", {"config.json": b"{}"}, public=False)
    hub.add("alice/gated", {"config.json": b"{}"}, gated=True)
    hub.add("alice/pickled", {"config.json": b"{}", "pytorch_model.bin": b"\x80"})
    with pytest.raises(EmollamaError, match=told) as caught:
        local_folder(Path(name))
    assert "\n" not in str(caught.value)


def test_without_a_network_the_cache_serves(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("alice/fused", files_of(SHIPPED / "fusion"))
    folder = local_folder(Path("alice/fused"))
    hubs._snapshot.cache_clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert local_folder(Path("alice/fused")) == folder
    with pytest.raises(EmollamaError, match="does not answer, and its cache holds no whole copy"):
        local_folder(Path("alice/other"))


def test_a_mirror_that_shows_nothing_at_its_address_answers(hub: Hub) -> None:
    assert hubs._answers(f"{hub.url}/api/huggingface")  # 404 there
    assert not hubs._answers("http://127.0.0.1:1")


def test_push_carries_card_and_licence_and_is_private(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert push(SHIPPED / "llm", "alice/people") == f"{hub.url}/alice/people"
    pushed = hub.repositories["alice/people"]
    assert not pushed.public
    assert pushed.files.keys() == {*files_of(SHIPPED / "llm"), "LICENSE"}
    assert (
        pushed.files["adapter_model.safetensors"]
        == files_of(SHIPPED / "llm")["adapter_model.safetensors"]
    )
    _, head, body = pushed.files["README.md"].decode().split("---\n", 2)
    values = OmegaConf.to_container(OmegaConf.create(head))
    assert values["license"] == "cc-by-nc-sa-4.0"
    assert values["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert body.strip() == (SHIPPED / "llm/README.md").read_text().split("---\n", 2)[2].strip()
    assert files_of(artefact_folder(Path("alice/people"))).keys() == pushed.files.keys()


def test_push_names_no_folder_of_this_machine(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    mine = tmp_path / "mine"
    shutil.copytree(SHIPPED / "fusion", mine)
    record = {"config": {"output": "/home/alice/runs", "tasks": ["C:\\clips\\a.csv", "runs/b"]}}
    record["config"] |= {"llm": "/home/alice/llama", "source": "npy:/home/alice/mae"}
    (mine / "training_record.json").write_text(json.dumps(record))
    fusion = json.loads((mine / "fusion.json").read_text())
    (mine / "fusion.json").write_text(json.dumps({**fusion, "x": ["/end", "npy:/home/alice/mae"]}))
    # As the card of a trained model names its language model and its tracks.
    (mine / "README.md").write_text("# m\n\n`/home/alice/llama` with LoRA, `npy:/home/alice/mae`\n")
    push(mine, "alice/mine", public=True)
    pushed = hub.repositories["alice/mine"]
    assert pushed.public
    assert json.loads(pushed.files["training_record.json"])["config"] == {
        "output": "runs", "tasks": ["a.csv", "runs/b"], "llm": "llama", "source": "npy:mae",
    }  # fmt: skip
    assert json.loads(pushed.files["fusion.json"])["x"] == ["/end", "npy:mae"]
    assert b"`llama` with LoRA, `npy:mae`" in pushed.files["README.md"]
    assert [name for name, content in pushed.files.items() if b"/home/alice" in content] == []
    assert b"license: other" in pushed.files["README.md"]
    assert json.loads((mine / "training_record.json").read_text()) == record
    with pytest.raises(EmollamaError, match=r"is public on .*; add --public"):
        push(mine, "alice/mine")


def test_what_cannot_be_pushed_is_one_line(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EmollamaError, match=r"does not let you write there \(401\); log in"):
        push(SHIPPED / "llm", "alice/people")
    with pytest.raises(EmollamaError, match="'people' does not name a hub repository"):
        push(SHIPPED / "llm", "people")
    mine = tmp_path / "mine"
    shutil.copytree(SHIPPED / "llm", mine)
    config = json.loads((mine / "config.json").read_text())
    (mine / "config.json").write_text(json.dumps({**config, "llm": "/home/alice/llama"}))
    with pytest.raises(EmollamaError, match="'/home/alice/llama', a folder of this machine; push"):
        push(mine, "alice/mine")
    assert hub.repositories == {}


@pytest.fixture
def mine(hub: Hub, tmp_path: Path) -> Path:
    """An artefact with an adapter whose language model is on the hub."""
    hub.add("alice/base", files_of(STORED / "llm"))
    shutil.copytree(STORED / "llm-run/model", tmp_path / "mine")
    config = json.loads((tmp_path / "mine/config.json").read_text())
    (tmp_path / "mine/config.json").write_text(json.dumps({**config, "llm": "alice/base"}))
    return tmp_path / "mine"


def test_auto_model_opens_a_pushed_adapter_by_its_name(
    hub: Hub, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    place = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + place)
    push(mine, "alice/mine")
    found, expected = (AutoModel.from_pretrained(name) for name in ("alice/mine", mine))
    assert isinstance(found, EmotionLlama)
    for name, value in expected.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_a_plain_language_model_is_pushed_with_its_streams(
    hub: Hub, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    plain = tmp_path / "plain"
    export(mine, plain, form="llm")
    push(plain, "alice/plain")
    streams = {f"{STREAMS_FOLDER}/{name}" for name in files_of(plain / STREAMS_FOLDER)}
    assert f"{STREAMS_FOLDER}/{PROJECTORS_FILE}" in streams
    assert hub.repositories["alice/plain"].files.keys() == {*files_of(plain), *streams}
    with pytest.raises(EmollamaError, match="is not an artefact: it holds neither"):
        push(STORED / "llm", "alice/plain")
