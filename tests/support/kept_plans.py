"""Two texts of the checkout's plan that a server over a scene keeps, as if somebody had put them in."""

from typing import Final

from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.domain.access.model import DEFAULT_ORGANISATION
from tidegate.testing.scenes import service_file

_FIRST: Final = service_file("checkout")
_SLOWER: Final = _FIRST.replace(
    "    - {name: few, to: first, traffic: 5%, bake: 2h}\n",
    "    - {name: few, to: first, traffic: 1%, bake: 2h}  # as the incident of May taught\n"
    "    - {name: more, to: first, traffic: 5%, bake: 2h}\n",
)


def keep_plans(texts: KeptTexts) -> tuple[str, str]:
    """Keep both in *texts*, and return the digests by which addresses name them."""
    return texts.keep(DEFAULT_ORGANISATION, _FIRST), texts.keep(DEFAULT_ORGANISATION, _SLOWER)
