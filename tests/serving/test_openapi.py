"""Schemathesis against the server's own description."""

from __future__ import annotations

from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
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
EXAMPLES = 8


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_description_is_true(server: Running, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    asked: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        # Without input there is nothing to get wrong.
        bare = not operation.body and not operation.path_parameters
        if mode is GenerationMode.NEGATIVE and bare:
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def conforms(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=300)
            asked.add(case.operation.label)

        # Of some there is nothing that would be wrong: any text may be a model's name.
        with suppress(Unsatisfiable):
            conforms()
    assert {"POST /v1/chat/completions", "POST /v1/emotion", "POST /v1/files"} <= asked
