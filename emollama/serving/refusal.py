"""Error responses: a status, a message and a request id.

The message says what is wrong and how to fix it. Details of internal errors are in the server's log
under the same id, never in the response.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    421: "permission_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
}


class Refusal(Exception):  # noqa: N818  it is no error of ours
    """A request is refused."""

    def __init__(
        self, status: int, message: str, param: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param = status, message, param
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer: in how many seconds to try again."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


class ErrorBody(BaseModel):
    """An error in OpenAI's format."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None
    request_id: str


class ErrorResponse(BaseModel):
    """A response with a status of 400 or more."""

    error: ErrorBody


def response_of(
    status: int, message: str, request_id: str, param: str | None = None
) -> ErrorResponse:
    """An error in OpenAI's format."""
    kind = _KINDS.get(status, "server_error")
    body = ErrorBody(message=message, type=kind, param=param, code=None, request_id=request_id)
    return ErrorResponse(error=body)


def body_of(status: int, message: str, request_id: str, param: str | None = None) -> dict[str, Any]:
    """An error as plain data."""
    return response_of(status, message, request_id, param).model_dump()
