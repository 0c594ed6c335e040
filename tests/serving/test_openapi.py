"""Schemathesis against the server's own description."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from tests.serving.running import Running

# Not among them: that whatever fits the schema is accepted. Whether base64 is a clip, no schema
# can tell.
CHECKS = [
    not_a_server_error, content_type_conformance, ignored_auth, negative_data_rejection,
    response_headers_conformance, response_schema_conformance, status_code_conformance,
    unsupported_method, use_after_free,
]  # fmt: skip


@pytest.fixture
def description(server: Running):
    return schemathesis.openapi.from_url(f"{server.address}/openapi.json")


schema = schemathesis.pytest.from_fixture("description")


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_description_is_true(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS, timeout=300)
