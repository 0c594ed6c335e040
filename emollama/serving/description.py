"""The server's OpenAPI description, with details that route annotations cannot express."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

CLIP = "clip"
"""Format of a field with the bytes of a clip, for generators of requests."""

EVENT = {
    "type": "object",
    "description": "An event of the stream.",
    "properties": {
        "data": {"type": "string", "description": "A chat.completion.chunk in JSON, or [DONE]"}
    },
    "required": ["data"],
}


class DescribedApp(FastAPI):
    """FastAPI with forms described exactly as they are parsed."""

    def openapi(self) -> dict[str, Any]:
        """The description: no nulls and no extra fields in forms, no empty clips."""
        if self.openapi_schema is None:
            made = super().openapi()
            self.openapi_schema = None  # it is not described before it is mended
            _form(made, "/v1/files")
            if "/v1/recordings" in made["paths"]:
                _form(made, "/v1/recordings")
            _form(made, "/v1/emotion")["properties"]["labels"]["uniqueItems"] = True
            _form(made, "/v1/batch")["properties"]["labels"]["uniqueItems"] = True
            self.openapi_schema = made
        return self.openapi_schema


def _form(made: dict[str, Any], path: str) -> dict[str, Any]:
    """Correct the schema of a route's form in place."""
    body = made["paths"][path]["post"]["requestBody"]
    body["required"] = True
    _, _, name = body["content"]["multipart/form-data"]["schema"]["$ref"].rpartition("/")
    form: dict[str, Any] = made["components"]["schemas"][name]
    form["additionalProperties"] = False
    for field in form["properties"].values():
        for choice in field.pop("anyOf", []):
            if choice != {"type": "null"}:
                field.update(choice)
    clip = form["properties"]["file"]
    clip.get("items", clip).update(format=CLIP, minLength=1)
    return form
