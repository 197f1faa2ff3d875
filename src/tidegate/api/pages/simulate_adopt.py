"""
The plan that stands beside another, ready to be put in its place: as a patch, or as what is known of it.

A server keeps a service as it is resolved and not the text of its file, and it has no repository. So a patch
is made where both texts were put in; where the file is elsewhere there is the part to put into it, and the
command that does so there and checks the result. Nothing is changed here, and no pull request is opened.
"""

from dataclasses import dataclass, replace

from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.api.pages.simulate_asked import NO_ROOT, Said, plans_of
from tidegate.documents.adopt import (
    adopt_plan,
    has_same_plan,
    named_section,
    other_differences,
    plan_section,
)
from tidegate.documents.patch import patch_of
from tidegate.documents.plans import is_of_library
from tidegate.documents.service_file import FILE_NAME, ResolvedService
from tidegate.domain.access.model import Caller
from tidegate.errors import InvalidRequestError
from tidegate.usecases.outside import Outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """
    What there is to adopt.

    Attributes:
        plan: What the plan is called in the results.
        into: What the plan that it takes the place of is called there.
        section: The `plan:` part to put in; empty where only its resolved form is known.
        patch: The patch of the file; empty where the file isn't known, or `refusal` says why there is none.
        command: What does it where the files are.
        refusal: Why the part can't be put into the text as it is, with what to do.
        others: What differs between the two services beside their plans, and isn't adopted.
    """

    plan: str
    into: str
    section: str
    patch: str
    command: str
    refusal: InvalidRequestError | None
    others: str


def adoption_of(outside: Outside, caller: Caller, texts: KeptTexts, said: Said) -> Adoption:
    """
    Return what it takes to put the second plan of *said* in the place of the first.

    Raises:
        InvalidRequestError: there is one plan only, or both are the same.
        InvalidDocumentError: a text can't be used.
        NotFoundError: there is no such service or text, as far as *caller* may know.
        StoreError: the store can't be read.
    """
    found = plans_of(outside, caller, texts, said) if said.names_plan else []
    if len(found) < 2:
        raise InvalidRequestError(
            "there is no plan to adopt",
            hint="simulate two plans side by side: the second is adopted",
        )
    (into, present), (plan, wanted) = found
    if has_same_plan(present, wanted):
        raise InvalidRequestError(
            f"{into} and {plan} have the same plan", hint="there is nothing to adopt"
        )
    section, name = _section(caller, texts, said, wanted)
    patch, refusal = "", None
    if said.text and section:
        text = texts.find(caller.organisation, said.text)
        try:
            after = adopt_plan(
                text,
                section,
                wanted=wanted,
                file=FILE_NAME,
                base_dir=NO_ROOT,
                may_open_files=False,
            )
            patch = patch_of(text, after, path=FILE_NAME)
        except InvalidRequestError as exc:
            refusal = exc
    return Adoption(
        plan=plan,
        into=into,
        section=section,
        patch=patch,
        # Where the file is, it is the service's own: of a text that was put in, too.
        command=replace(said, service=present.spec.name).command(
            beside=f"plan:{name}" if name else "", adopt=name or said.beside_name
        ),
        refusal=refusal,
        others=other_differences(present, wanted),
    )


def _section(
    caller: Caller, texts: KeptTexts, said: Said, wanted: ResolvedService
) -> tuple[str, str]:
    """Return the part to put in, and the name of a plan of the library; each is empty where there is none."""
    if said.other_text:
        text = texts.find(caller.organisation, said.other_text)
        section = plan_section(text, file=FILE_NAME)
        if section is not None:
            return section, ""
    name = wanted.spec.plan.name
    if said.other_text or is_of_library(wanted.spec):
        return named_section(name), name
    return "", ""
