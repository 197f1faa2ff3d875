"""
Words and marks that only pages need: marks that stay text on phones, what each action is called and does.

Rule: made from shapes and plain values alone, as `words` is. What the command line says, too, is there.
"""

import secrets
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tidegate.api.shapes.approvals import Awaited
from tidegate.api.shapes.emergencies import Emergency
from tidegate.api.words import PHASE_MARKS, STATE_MARKS, TEXT_STYLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionWords:
    """
    One thing that a person can do to a rollout.

    `key` is the key that opens its confirmation. `says` is what will happen. `needs_reason` is whether
    the command refuses without one. `kind` is how its button looks.
    """

    name: str
    label: str
    key: str
    says: str
    asks: str
    needs_reason: bool
    kind: str


ROLLOUT_ACTIONS: Final = {
    one.name: one
    for one in (
        ActionWords(
            name="halt",
            label="Halt",
            key="h",
            says="Stops it and takes the new version back from everyone, at once. Needs nobody's consent.",
            asks="Why (may stay empty)",
            needs_reason=False,
            kind="danger",
        ),
        ActionWords(
            name="rollback",
            label="Roll back",
            key="r",
            says="Brings back what was served before.",
            asks="Why (may stay empty)",
            needs_reason=False,
            kind="warn",
        ),
        ActionWords(
            name="resume",
            label="Resume",
            key="u",
            says="Lets it go on. What was halted proves its phase again from nothing.",
            asks="Why it may go on",
            needs_reason=True,
            kind="plain",
        ),
        ActionWords(
            name="approve",
            label="Approve",
            key="a",
            says="Agrees to the next phase, as you see it now. Lapses when any of it moves.",
            asks="Comment (may stay empty)",
            needs_reason=False,
            kind="good",
        ),
        ActionWords(
            name="reject",
            label="Reject",
            key="x",
            says="The next phase doesn't begin as long as this no stands.",
            asks="Why not",
            needs_reason=True,
            kind="plain",
        ),
        ActionWords(
            name="abandon",
            label="Give up",
            key="",
            says="Ends it for good, where it is.",
            asks="Why",
            needs_reason=True,
            kind="plain",
        ),
    )
}


def state_mark(state: str) -> str:
    """Return the mark of a state of a rollout."""
    return STATE_MARKS[state] + TEXT_STYLE


def phase_mark(state: str) -> str:
    """Return the mark of a phase: done, now, stopped, ahead."""
    return PHASE_MARKS[state] + TEXT_STYLE


HEALTH_MARKS: Final = {"healthy": "✓", "degraded": "◐", "unhealthy": "✖", "unknown": "?"}
"""One shape per state of a part of a service. Unknown looks like a question and never like healthy."""


def health_mark(health: str) -> str:
    """Return the mark of a state of health."""
    return HEALTH_MARKS[health] + TEXT_STYLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A screen in the navigation. `on_phone` is whether it is in the bar at the bottom there."""

    label: str
    path: str
    keys: str = ""
    on_phone: bool = False

    def is_here(self, path: str) -> bool:
        """Return whether *path* is this screen, or below it."""
        if self.path == "/":
            return path == "/"
        return path == self.path or path.startswith(f"{self.path}/")


NAVIGATION: Final = (
    Place(label="Fleet", path="/", keys="g o", on_phone=True),
    Place(label="Approvals", path="/approvals", keys="g a", on_phone=True),
    Place(label="Emergency", path="/emergency", keys="g e", on_phone=True),
    Place(label="Services", path="/services", keys="g s"),
    Place(label="Changes", path="/changes", keys="g c"),
    Place(label="Simulate", path="/simulate", keys="g p"),
    Place(label="Ledger", path="/ledger", keys="g l"),
    Place(label="Admin", path="/admin"),
)

KEYS: Final = (
    ("g o", "the fleet"),
    ("g a", "approvals"),
    ("g e", "emergency"),
    ("g s", "services"),
    ("g l", "the ledger"),
    ("/", "filter"),
    ("j k", "next and previous row"),
    ("Enter", "open it"),
    ("f", "next that needs somebody"),
    ("w", "why"),
    ("h", "halt: opens the confirmation, Enter sends it"),
    ("r", "roll back"),
    ("a x", "approve (or agree), reject"),
    ("u", "resume, lift"),
    ("e", "declare an emergency"),
    ("n", "announce a freeze"),
    ("c d", "add a contributing factor, an action"),
    ("m", "only what I can give"),
    ("t", "table or chart"),
    (".", "copy as a command"),
    ("?", "this list"),
)


ENTRY_MARKS: Final = {"decision": "◆", "command": "▸", "evidence": "≡", "refusal": "✕"}
"""One shape per kind of entry of the ledger."""


def entry_mark(kind: str) -> str:
    """Return the mark of a kind of entry; of one that is new a plain one."""
    return ENTRY_MARKS.get(kind, "·") + TEXT_STYLE


def short(digest: str) -> str:
    """Return the beginning of a hash, enough to tell it by; the whole stands beside or behind it."""
    return digest.removeprefix("sha256:")[:12]


def version_name(name: str) -> str:
    """Return how a version is called in a list: of a document that is named by its path, the file."""
    return name.rpartition("/")[2] or name if name.startswith("/") else name


def rollout_command(name: str, rollout_id: str) -> str:
    """Return the command line that does the action *name* to a rollout."""
    reason = {"approve": ' --comment ""', "halt": ""}.get(name, ' --reason "…"')
    verb = f"rollout {name}" if name == "abandon" else name
    return f"tidegate {verb} {rollout_id}{reason}"


def approve_each(asked: Iterable[Awaited]) -> str:
    """Return the command line that agrees to each of *asked*, and stops at one that is refused."""
    return " && ".join(rollout_command("approve", one.rollout) for one in asked)


def start_under(emergency: Emergency) -> str:
    """Return the command line that starts what *emergency* has authorised."""
    changes = " ".join(
        shlex.join(["--change", f"{component}={version}"])
        for component, version in emergency.change.items()
    )
    return f"tidegate start {shlex.quote(emergency.service)} {changes} --emergency {emergency.id}"


def count_words(count: float) -> str:
    """Return a count as people say it: `0.4`, `12`, `1.2k`, `3M`."""
    for least, unit in ((1e6, "M"), (1e3, "k")):
        if count >= least:
            return f"{count / least:.3g}{unit}"
    return f"{count:.0f}" if count >= 10 else f"{count:.2g}"


def short_digest(digest: str) -> str:
    """Return so much of a digest that people can compare it."""
    return digest.removeprefix("sha256:")[:12]


def new_key() -> str:
    """Return a key for one confirmation, so that pressed twice it acts once."""
    return f"page-{secrets.token_hex(8)}"
