"""A vLLM server on this machine, which writes on from prompt embeddings in place of our own loop.

Clips are watched, encoded and projected here, and labels scored here: vLLM gives no
log-probabilities of a prompt of embeddings. It serves what `emollama export --as llm` writes. Its
tokens go through the same `Reply` as ours.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.endpoints.vllm import need_loopback
from emollama.llm.batch import Encoded
from emollama.llm.decoding import Reply, Sampling
from emollama.llm.interop.prompt_embeddings import PromptEmbeddings
from emollama.llm.modeling import EmotionLlama
from emollama.llm.prefix import read_on
from emollama.llm.processing import EmotionLlamaProcessor, Evidence

if TYPE_CHECKING:
    import httpx

AT_ONCE = 16
"""Prompts that are open at the engine."""
CLOSE = 0.25
"""How far the log-probability of a token may lie from ours: bfloat16 moves it by less."""
_SHAPE = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")
_SECONDS = 300.0


class PromptEngine:
    """An engine that was found to serve the language model of an EmotionLlama; thread-safe.

    Args:
        url: of the server, with or without /v1; on this machine only.
        model: whose language model it serves.
        processor: lays out prompts.

    Raises:
        EmollamaError: the address is another machine's, nothing answers there, or it serves
            another model.
    """

    def __init__(self, url: str, model: EmotionLlama, processor: EmotionLlamaProcessor) -> None:
        import httpx

        self.url = need_loopback(url)
        self._embeddings = PromptEmbeddings(model, processor)
        # A proxy of the environment is for other machines.
        self._client = httpx.Client(base_url=self.url, timeout=_SECONDS, trust_env=False)
        served = self._served()
        self.name = str(served.get("id"))
        self._longest = int(served.get("max_model_len") or 0)
        self._require_shape(str(served.get("root")))
        self._require_same_answer()

    def tokens(
        self, prompt: Encoded, sampling: Sampling, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[int | None]:
        """The answer's tokens as they come; None where it ends by itself."""
        asked = self._request(prompt, sampling.max_new_tokens) | {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stream": True,
        }
        with self._answering(asked) as response:
            for line in response.iter_lines():
                if stopped():
                    return
                data = line.removeprefix("data:").strip()
                if not line.startswith("data:") or data == "[DONE]":
                    continue
                for token in self._of_choice(data):
                    if token == self._embeddings.processor.end_id:
                        yield None
                        return
                    yield token

    def answers(self, prompts: Sequence[Encoded], sampling: Sampling) -> list[list[int]]:
        """Token ids of the answer to each prompt, without its end; `AT_ONCE` at a time."""

        def answer(prompt: Encoded) -> list[int]:
            return [token for token in self.tokens(prompt, sampling) if token is not None]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(answer, prompts))

    def next_logs(self, prompt: Encoded, tokens: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of these tokens as the first of the answer."""
        asked = self._request(prompt, 1) | {
            "temperature": 0.0,
            "logprobs": 1,
            "logprob_token_ids": list(tokens),
            "return_tokens_as_token_ids": True,
        }
        with self._answering(asked) as response:
            text = response.read()
        try:
            (found,) = json.loads(text)["choices"][0]["logprobs"]["top_logprobs"]
            return {token: float(found[f"token_id:{token}"]) for token in tokens}
        except (KeyError, TypeError, ValueError) as error:
            raise EmollamaError(
                f"engine {self.url}: gives no logprob_token_ids; vLLM 0.32 does"
            ) from error

    def _request(self, prompt: Encoded, length: int) -> dict[str, Any]:
        """The common part of a request; its other fields undo what a model's folder may set."""
        embeddings = self._embeddings.embed(prompt)
        self._require_embeddings(embeddings, length)
        return {
            "model": self.name,
            "prompt_embeds": _packed(embeddings),
            "max_tokens": length,
            "stop_token_ids": [self._embeddings.processor.end_id],
            "ignore_eos": True,
            "repetition_penalty": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "return_token_ids": True,
        }

    def _require_embeddings(self, embeddings: Tensor, length: int) -> None:
        width = self._embeddings.model.config.text_config.hidden_size
        if embeddings.ndim != 2 or embeddings.shape[1] != width:
            raise EmollamaError(
                f"engine {self.url}: takes embeddings [T, {width}], not {list(embeddings.shape)}"
            )
        if not bool(torch.isfinite(embeddings).all()):
            raise EmollamaError(f"engine {self.url}: the prompt's embeddings are not finite")
        if self._longest and len(embeddings) + length > self._longest:
            raise EmollamaError(
                f"engine {self.url}: the prompt has {len(embeddings)} tokens; with an answer of "
                f"{length} it exceeds the engine's limit of {self._longest} (--max-model-len)"
            )

    def _of_choice(self, data: str) -> list[int]:
        try:
            event = json.loads(data)
            if "error" in event:
                raise EmollamaError(f"engine {self.url}: {_said(event)}")
            return [int(t) for choice in event["choices"] for t in choice["token_ids"] or ()]
        except (KeyError, TypeError, ValueError) as error:
            raise EmollamaError(f"engine {self.url}: gives no token_ids; vLLM 0.32 does") from error

    @contextmanager
    def _answering(self, asked: dict[str, Any]) -> Iterator[httpx.Response]:
        import httpx

        try:
            with self._client.stream("POST", "/completions", json=asked) as response:
                if response.status_code != 200:
                    response.read()
                    raise EmollamaError(f"engine {self.url}: {_refusal(response)}")
                yield response
        except httpx.HTTPError as error:
            raise EmollamaError(f"engine {self.url}: {_broken(error)}") from error

    def _served(self) -> dict[str, Any]:
        import httpx

        try:
            response = self._client.get("/models", timeout=10)
            found: dict[str, Any] = response.json()["data"][0]
        except httpx.HTTPError as error:
            raise EmollamaError(f"engine {self.url}: {_broken(error)}") from error
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise EmollamaError(f"engine {self.url}: names no model at /models") from error
        return found

    def _require_shape(self, root: str) -> None:
        """Compare the configuration that the engine was started with, before anything is sent."""
        path = Path(root) / "config.json"
        if not path.is_file():
            raise EmollamaError(
                f"engine {self.url}: serves '{root}', which is no folder here; start it with the "
                "folder that 'emollama export --as llm' writes"
            )
        theirs, ours = read_json(path), self._embeddings.model.config.text_config
        for key in _SHAPE:
            if theirs.get(key) != getattr(ours, key, None):
                raise EmollamaError(
                    f"engine {self.url}: serves another model: {key} is {theirs.get(key)} in "
                    f"{path}, {getattr(ours, key, None)} here"
                )

    def _require_same_answer(self) -> None:
        """Hold the log-probability of a first token against ours, in a prompt about nothing."""
        model, processor = self._embeddings.model, self._embeddings.processor
        prompt = processor.encode_prompt(Evidence({}), processor.instruction("emotion"))
        with torch.inference_mode():
            hidden, _, _ = read_on(model, processor, [prompt])
            logs = model.get_output_embeddings()(hidden[0, -1]).float().log_softmax(-1)
        likeliest = int(logs.argmax())
        if abs(self.next_logs(prompt, [likeliest])[likeliest] - float(logs[likeliest])) > CLOSE:
            raise EmollamaError(
                f"engine {self.url}: answers otherwise than this model; serve the folder that "
                "'emollama export --as llm' writes of it"
            )


class EngineReply(Reply):
    """An answer that an engine writes; see `Reply`."""

    def __init__(
        self,
        engine: PromptEngine,
        model: EmotionLlama,
        processor: EmotionLlamaProcessor,
        prompt: Encoded,
        sampling: Sampling,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(model, processor, prompt, None, sampling, stopped)
        self._engine = engine

    @property
    def writing(self) -> Reply | None:
        """Nothing here writes it."""
        return None

    def _reader(self) -> Callable[[], int | None]:
        tokens = self._engine.tokens(self._prompt, self._sampling, self._stopped)
        return lambda: next(tokens, None)


def _packed(embeddings: Tensor) -> str:
    """A tensor as vLLM reads it: torch's own file, in base64."""
    file = io.BytesIO()
    torch.save(embeddings.detach().cpu().contiguous().clone(), file)
    return base64.b64encode(file.getvalue()).decode()


def _refusal(response: httpx.Response) -> str:
    try:
        return f"{response.status_code}: {_said(response.json())}"
    except ValueError:
        return f"{response.status_code}: {response.text[:200]}"


def _said(answer: Any) -> str:
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    text = error.get("message", error) if isinstance(error, dict) else error
    return " ".join(str(text).split())[:200]


def _broken(error: Exception) -> str:
    return f"does not answer ({' '.join(str(error).split()) or type(error).__name__})"
