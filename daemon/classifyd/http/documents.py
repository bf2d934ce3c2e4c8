"""The JSON documents of the answers, as /openapi.json describes them."""

from typing import Literal

from pydantic import BaseModel, Field

from classifyd.core.documents import CandidateDocument, Probability, ResultDocument, Time


class Classes(BaseModel):
    """The short answer."""

    classes: int = Field(description="The index of the best class")


class Answer(Classes):
    """The answer with `?top=`."""

    label: str
    confidence: Probability
    top: list[CandidateDocument] = Field(min_length=1, description="Best first")
    model: str
    model_version: str
    id: str = Field(description="Under which GET /results/{id} has it, where answers are recorded")


class ModelState(BaseModel):
    name: str
    engine: str
    version: str | None = Field(description="Null until the model has answered once")
    state: Literal["ready", "away"]
    detail: str = Field(description="Why it is away, and what to do")
    classes: int | None = Field(description="How many it tells apart; null until it has answered once")


class Models(BaseModel):
    models: list[ModelState]


class ResultPage(BaseModel):
    """Newest first."""

    results: list[ResultDocument]
    next: str | None = Field(description="Where the next page is, or null on the last one")


class PartHealth(BaseModel):
    up: bool
    detail: str = Field(description="Why it is down, and what to do")
    since: Time


class Alive(BaseModel):
    alive: Literal[True]


class Ready(BaseModel):
    """Every part works."""

    ready: Literal[True]
    parts: dict[str, PartHealth] | None = Field(None, description="Left out where the key is not shown")
