"""The address of an engine, looked at before a model is opened."""

from __future__ import annotations

import socket

import pytest

from emollama.base.errors import EmollamaError
from emollama.endpoints.client import Endpoint
from emollama.endpoints.vllm import need_engine


def test_an_engine_has_to_listen_before_a_model_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert need_engine(f"http://127.0.0.1:{port}/v1/") == f"http://127.0.0.1:{port}/v1"
    with pytest.raises(EmollamaError, match=rf"engine http://127.0.0.1:{port}/v1: does not answer"):
        need_engine(f"http://127.0.0.1:{port}")
    with pytest.raises(EmollamaError, match="is on another machine"):
        need_engine("http://192.0.2.1:8000")


def test_a_password_in_an_address_is_never_shown() -> None:
    for url in ("http://me:s3cret@127.0.0.1:8000", "http://me:s3cret@127.0.0.1:port",
                "http://me:a/s3cret@192.0.2.1:8000", "//me:s3cret@127.0.0.1"):  # fmt: skip
        with pytest.raises(EmollamaError) as refused:
            need_engine(url)
        told = str(refused.value)
        assert told.startswith("engine '") and "//***@" in told and "s3cret" not in told, told
        with pytest.raises(EmollamaError) as refused:
            Endpoint("refine", url, "m")
        assert "s3cret" not in str(refused.value)
