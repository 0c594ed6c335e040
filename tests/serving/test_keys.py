"""Several keys with rates, and sites whose pages may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.serving.keys import Key, Keyring, read_keys
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session import Session
from tests.serving.running import running
from tests.serving.test_safe import KEY, error


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("# nobody\n\n", "holds no key"),
        ("anna\n", ":1: a line is 'NAME KEY'"),
        ("anna short\n", ":1: an API key needs at least 8"),
        ("anna long-enough-key often\n", "must be a number above 0, not 'often'"),
        ("anna long-enough-key nan\n", "must be a number above 0, not 'nan'"),
        ("anna long-enough-key\nben long-enough-key 3\n", ":2: its name or its key is that"),
    ],
)
def test_a_wrong_file_of_keys_is_told_without_its_keys(
    tmp_path: Path, text: str, what: str
) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(EmollamaError, match=what) as told:
        read_keys(tmp_path / "keys")
    assert "long-enough" not in str(told.value)


def test_a_rate_is_refilled_as_time_passes() -> None:
    now = [0.0]
    ben = Key("ben", "bens-own-key", 2)
    ring = Keyring([Key("anna", "annas-own-key"), ben], lambda: now[0])
    assert ring.of("Bearer bens-own-key") is ben and "bens-own-key" not in repr(ben)
    ring.spend(ben)
    ring.spend(ben)
    with pytest.raises(Refusal, match="2 times a minute") as refused:
        ring.spend(ben)
    assert refused.value.headers == {"retry-after": "30"}
    now[0] = 30.0
    ring.spend(ben)
    for _ in range(100):
        ring.spend(ring.of("bearer annas-own-key"))


def test_keys_rates_and_allowed_sites_over_http(session: Session, tmp_path: Path) -> None:
    site = "https://example.org"
    keys = (Key("anna", "annas-own-key"), Key("ben", "bens-own-key", 1))
    settings = Settings(port=0, watchers=1, api_key=KEY, keys=keys, origins=(site,))
    assert KEY not in repr(settings) and "own-key" not in repr(settings)
    with running(session, tmp_path / "up", settings) as server:

        def ask(key: str, origin: str = site):
            headers = {"Authorization": f"Bearer {key}", "Origin": origin}
            data = {"file_id": "file-none", "reason": "false"}
            return server.client.post("/v1/emotion", data=data, headers=headers)

        for key in (KEY, "annas-own-key", "bens-own-key"):
            answer = ask(key)
            assert answer.status_code == 404, answer.text
            assert answer.headers["access-control-allow-origin"] == site
        again = ask("bens-own-key")
        assert again.status_code == 429 and "1 times a minute" in error(again)
        assert int(again.headers["retry-after"]) > 30 and ask("annas-own-key").status_code == 404
        assert ask("nobodys-own-key").status_code == 401
        foreign = ask(KEY, "https://example.com")
        assert foreign.status_code == 403
        assert "access-control-allow-origin" not in foreign.headers
        may = {"Access-Control-Request-Method": "POST", "Origin": site}
        asked = server.client.options("/v1/emotion", headers=may)
        assert asked.status_code == 204
        assert "authorization" in asked.headers["access-control-allow-headers"]
    for origin in ("example.org", "https://example.org/", "*", "null"):
        with pytest.raises(EmollamaError, match="must be a site such as"):
            Settings(origins=(origin,))
