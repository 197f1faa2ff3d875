"""What verifying a dump found, in the shape that `-o json` prints."""

from pydantic import Field

from tidegate.api.shapes.base import Shape
from tidegate.documents.ledger.verified import Verified


class DumpFinding(Shape):
    """One thing that is wrong."""

    wrong: str
    where: str = Field(description="dump, or the witness that disagrees.")
    line: int
    number: int | None = Field(description="The first entry that can't be relied on.")
    detail: str


class VerifiedDump(Shape):
    """What a dump is worth."""

    holds: bool
    is_trusted: bool = Field(description="Whether a key from elsewhere vouches for it.")
    entries: int
    heads: int
    last_hash: str
    key_ids: list[str]
    witness_heads: int = Field(description="How many heads of witnesses agree with it.")
    findings: list[DumpFinding]


def verified_shape(verified: Verified) -> VerifiedDump:
    """Return *verified* as it is printed."""
    return VerifiedDump(
        holds=verified.holds,
        is_trusted=verified.is_trusted,
        entries=verified.entries,
        heads=verified.heads,
        last_hash=verified.last_hash,
        key_ids=list(verified.key_ids),
        witness_heads=verified.witness_heads,
        findings=[
            DumpFinding(
                wrong=found.wrong.value,
                where=found.where or "dump",
                line=found.line,
                number=found.number,
                detail=found.detail,
            )
            for found in verified.findings
        ],
    )
