"""
A form of a postmortem that was refused, with all that was typed into it: kept, to be shown again beside why.

Kept among the texts of the server (see `kept_texts`), so that an address can name it whether scripts run or
not. It lasts for a while and in memory only: what is accepted is on record, and this never is.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tidegate.errors import TidegateError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptForm:
    """
    What was typed, and why it wasn't taken.

    `item` is the id of what it would have changed, empty for what would have been new. `is_action` is
    whether it is about an action and not about a factor.
    """

    is_action: bool
    item: str
    text: str
    owner: str
    due: str
    problem: str
    hint: str

    def written(self) -> str:
        """Return it as a text that `read_kept` reads."""
        return json.dumps(asdict(self))


def kept_form(
    fields: Mapping[str, str], error: TidegateError, *, is_action: bool, item: str
) -> KeptForm:
    """Return the form of *fields* as it is shown again."""
    return KeptForm(
        is_action=is_action,
        item=item,
        text=fields.get("text", ""),
        owner=fields.get("owner", ""),
        due=fields.get("due", ""),
        problem=error.message,
        hint=error.hint,
    )


def read_kept(text: str) -> KeptForm | None:
    """Return the form that *text* is; None for another text that is kept."""
    try:
        found = KeptForm(**json.loads(text))
    except (TypeError, ValueError):
        return None
    typed = (found.item, found.text, found.owner, found.due, found.problem, found.hint)
    return found if all(isinstance(one, str) for one in typed) else None
