"""How the API says no: RFC 9457 problem details with Tidegate's four answers."""

from typing import Final

from pydantic import Field

from tidegate.api.shapes.base import Shape

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


class Problem(Shape):
    """What went wrong, with which values, what to do now, and whether to try again."""

    type: str = Field(description="Identifies the kind of problem; the same for the same code.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable; programs match on it.")
    detail: str = Field(description="What happened, with the values.")
    hint: str = Field(description="What to do now.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
