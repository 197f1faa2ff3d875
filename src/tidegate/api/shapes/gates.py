"""Gates of a rollout, and what is submitted for them."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.api.shapes.rollout import ComponentChange


class Document(Shape):
    """Something that was submitted for a gate; its bytes are known by their digest."""

    name: str
    digest: str
    size: int = Field(description="Bytes.")
    submitted_at: Instant
    submitted_by: str


class Gate(Shape):
    """
    One gate of a rollout and how it stands: only `green` lets exposure rise.

    `in_question` is whether it has a say now. `because` and what follows it are of the latest answer
    about this change and this plan; null where there is none. `what_to_do` is for people, empty when
    there is nothing to do.
    """

    name: str
    kind: str
    moment: Literal["before_start", "before_phase"]
    phases: list[str] = Field(description="Before these phases; empty for all.")
    deferred: bool = Field(description="Put off by an emergency: it doesn't hold, red halts.")
    in_question: bool
    state: Literal["green", "red", "missing", "expired", "unknown"]
    because: str
    evidence: str | None = Field(description="The id of the answer, as the ledger has it.")
    facts: dict[str, str] = Field(description="What was measured.")
    measured_at: Instant | None
    expires_at: Instant | None
    documents: list[Document] = Field(description="What was submitted about this change.")
    what_to_do: str


class Gates(Shape):
    """The gates of a rollout, in the order of its plan."""

    rollout: str
    service: str
    gates: list[Gate]
    all_green: bool = Field(description="Whether none that has a say now is anything but green.")
    as_of: Instant


class SubmitEvidence(Asked):
    """
    A document for a gate.

    `change` is the versions that it is about, by component; empty for the change that moves the service
    now. `content` is the document's bytes in base64, packed by gzip before where `packed` says so.
    """

    change: dict[str, str] = Field(default_factory=dict, max_length=100)
    name: Annotated[str, Field(min_length=1, max_length=200)]
    content: Annotated[str, Field(min_length=1)]
    packed: bool = False


class EvidenceSubmitted(Shape):
    """What was submitted, and for what."""

    service: str
    gate: str
    change: dict[str, ComponentChange]
    change_digest: str
    document: Document
    is_asked_for: bool = Field(
        description="Whether the service's latest file has a gate of this name."
    )
    rollouts: list[str] = Field(description="Unfinished rollouts of this very change.")


class EvidenceOfChange(Shape):
    """What was submitted for a gate about one change, oldest first."""

    change_digest: str
    documents: list[Document]


class EvidenceOfGate(Shape):
    """What was submitted for a gate of a service, the latest change first."""

    service: str
    gate: str
    changes: list[EvidenceOfChange]
