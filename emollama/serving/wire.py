"""The wire format: OpenAI's requests and responses, and our own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from emollama.inputs.stored_people import LONGEST_NAME
from emollama.llm.decoding import LONGEST_ANSWER
from emollama.scoring.reasons.check import Origin
from emollama.serving.clips import DATA_URL
from emollama.serving.people import MOST_ENROLLED
from emollama.serving.refusal import ErrorResponse

ChannelName = Literal["voice", "face", "words"]
LONGEST_TEXT = 20_000
"""Longest turn or subtitle, in characters."""
# Told, not checked here: of an id that is none it is said that there is no such file.
FileId = Annotated[str, Field(json_schema_extra={"pattern": r"^file-[0-9a-f]{32}$"})]


class Strict(BaseModel):
    """Unknown fields are refused, so that nothing is silently ignored."""

    model_config = ConfigDict(extra="forbid")


class TextPart(Strict):
    """Text of a turn."""

    type: Literal["text"]
    text: str = Field(max_length=LONGEST_TEXT)


class DataUrl(Strict):
    """A clip in the request itself, as a data URL; other URLs are refused."""

    # Told, not checked here: what is wrong with one is said in words where it is read.
    url: str = Field(json_schema_extra={"pattern": DATA_URL})


class VideoPart(Strict):
    """A clip as a data URL."""

    type: Literal["video_url"]
    video_url: DataUrl


class GivenFile(Strict):
    """A clip by its id from /v1/files, or as a data URL under OpenAI's name for it.

    Its `filename` is accepted and not used.
    """

    file_id: FileId | None = None
    file_data: Annotated[str, Field(json_schema_extra={"pattern": DATA_URL})] | None = None
    filename: str | None = None


class FilePart(Strict):
    """A clip by the id of its upload, or in the request itself; either, not both."""

    type: Literal["file"]
    file: GivenFile


class ImageUrl(DataUrl):
    """A picture as a data URL; `detail` is accepted, and a picture always read whole."""

    detail: Literal["auto", "low", "high"] = "auto"


class ImagePart(Strict):
    """A picture, which is a clip of one frame."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Audio(Strict):
    """Sound in base64."""

    data: Annotated[str, Field(json_schema_extra={"pattern": "^[A-Za-z0-9+/]+={0,2}$"})]
    format: Literal["wav", "mp3"]


class AudioPart(Strict):
    """A clip of sound alone."""

    type: Literal["input_audio"]
    input_audio: Audio


ClipPart = VideoPart | FilePart | ImagePart | AudioPart
Part = Annotated[TextPart | ClipPart, Field(discriminator="type")]


class Message(Strict):
    """A turn. The clip is in the first user turn, before which what a system turn asks is read.

    Further fields of OpenAI's answers are accepted if they are empty, so that an answer can be sent
    back as a turn.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: (
        Annotated[str, Field(max_length=LONGEST_TEXT)]
        | Annotated[list[Part], Field(min_length=1, max_length=8)]
    )
    refusal: None = None
    annotations: None = None
    audio: None = None
    function_call: None = None
    tool_calls: None = None


class StreamOptions(Strict):
    """Options of a streamed answer."""

    include_usage: bool = False


class NamedSchema(Strict):
    """A JSON schema and what the client calls it."""

    name: str = Field(max_length=64)
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Strict):
    """The form of the answer: text, or an object with a label from an enum (see `Shape`)."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class ChatRequest(Strict):
    """A conversation about one clip."""

    model: str | None = Field(default=None, max_length=200)
    messages: list[Message] = Field(min_length=1, max_length=64)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=LONGEST_ANSWER)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=LONGEST_ANSWER)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    stop: (
        Annotated[str, Field(min_length=1, max_length=100)]
        | Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=4)]
        | None
    ) = None
    n: Literal[1] = 1
    user: str | None = Field(default=None, max_length=200)
    response_format: ResponseFormat | None = None
    drop: list[ChannelName] = Field(default=[], max_length=2)
    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    transcribe: bool = True
    enrol: list[FileId] | None = Field(default=None, min_length=1, max_length=MOST_ENROLLED)
    enrol_neutral: bool = False
    person: str | None = Field(default=None, max_length=LONGEST_NAME)


# --- chat: what goes out ---------------------------------------------------------------------


class Usage(BaseModel):
    """Token counts; cached tokens are those of the clip's stored prefix."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]

    @classmethod
    def none(cls) -> Usage:
        """Of an answer whose words were chosen, not written."""
        return cls(
            prompt_tokens=0, completion_tokens=0, total_tokens=0,
            prompt_tokens_details={"cached_tokens": 0},
        )  # fmt: skip


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The only choice."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatAnswer(BaseModel):
    """A complete answer; `reason_from` says whose words it is in, where it says why."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    reason_from: Origin | None = None


class Model(BaseModel):
    """The served model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "emollama"
    kind: Literal["llm", "fusion"]
    labels: list[str]
    channels: list[ChannelName]


class Models(BaseModel):
    """The list of models: the one served."""

    object: Literal["list"] = "list"
    data: list[Model]


# --- files -----------------------------------------------------------------------------------


class File(BaseModel):
    """An upload."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str = "user_data"
    status: Literal["processed"] = "processed"


class Files(BaseModel):
    """All uploads."""

    object: Literal["list"] = "list"
    data: list[File]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


class Deleted(BaseModel):
    """A deleted upload."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


# --- emotion ---------------------------------------------------------------------------------


class Score(BaseModel):
    """Probability of a label."""

    label: str
    score: float


class PhraseOut(BaseModel):
    """Transcribed words, with times in seconds from the clip's start."""

    start: float
    end: float
    text: str


class ToldOut(BaseModel):
    """A measurement in words."""

    start: float
    end: float
    channel: ChannelName
    words: str


class PeakOut(BaseModel):
    """The frame with the strongest expression; the box is in pixels of the scaled frame."""

    time: float
    box: list[float]
    size: list[int]
    faces: int
    expression: dict[str, float]


class WeightsOut(BaseModel):
    """Shapley values of the channels for the answered label."""

    label: str
    with_all: float
    with_none: float
    channels: dict[str, float]
    carried_by: str | None


class FramesOut(BaseModel):
    """Quantities over time."""

    times: list[float]
    values: dict[str, list[float | None]]


class PersonOut(BaseModel):
    """Whom the clip was measured against."""

    clips: int
    variety: float
    name: str | None = None


class LanguageOut(BaseModel):
    """Language of transcribed words: its code, and its probability where it was detected."""

    code: str
    probability: float | None = None


class DistanceOut(BaseModel):
    """How far a channel lies from the training clips, in times of the usual distance."""

    familiar: bool
    times_usual: float
    limit: float


class FamiliarOut(BaseModel):
    """Whether the clip is like the training clips; `overall` is null where nothing is measured."""

    overall: bool | None
    channels: dict[ChannelName, DistanceOut]


class EmotionAnswer(BaseModel):
    """The emotion of a clip, and the evidence."""

    id: str
    model: str
    duration: float
    label: str | None
    labels: list[Score]
    shown: list[str] | None
    values: dict[str, float] | None
    frames: FramesOut | None
    calibrated: list[Score] | None = None
    coverage: float | None = None
    label_set: list[str] | None = None
    undecided: bool | None = None
    person: PersonOut | None = None
    reason: str | None
    reason_from: Origin | None = None
    described: list[str] | None = None
    text: str | None
    text_source: Literal["given", "heard"] | None
    language: LanguageOut | None = None
    speech_seconds: float | None = None
    familiar: FamiliarOut | None = None
    alone: dict[ChannelName, str] = {}
    follows: list[ChannelName] = []
    conflict: float | None = None
    face_reader: str | None = None
    transcript: list[PhraseOut] | None
    peak: PeakOut | None
    told: list[ToldOut]
    clues: dict[str, str]
    compared_with: str | None = None
    timeline: dict[str, Any]
    channels: list[ChannelName]
    absent: dict[str, str]
    weights: WeightsOut | None
    notes: list[str]
    seconds: float


class Batch(BaseModel):
    """Answers about several clips in the order in which they were given: clips, then ids."""

    object: Literal["list"] = "list"
    data: list[EmotionAnswer | ErrorResponse]
