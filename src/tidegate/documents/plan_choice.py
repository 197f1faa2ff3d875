"""
The same service under another plan: one of the library by its name, in place of what the file says.

Everything else of the file stays as it is written, so that two plans are compared for the same targets,
signals and tolerances.
"""

from pathlib import Path

from tidegate.documents.plans import DEFAULT_PLANS
from tidegate.documents.problems import Complaint, Problem, invalid_document
from tidegate.documents.resolve import resolve
from tidegate.documents.resolved import to_document
from tidegate.documents.service_file import ResolvedService, from_canonical, load_service
from tidegate.documents.shape import check_shape
from tidegate.documents.yaml import read_yaml
from tidegate.errors import InvalidDocumentError


def load_with_plan(path: Path, plan: str) -> ResolvedService:
    """
    Return the service in the file at *path* as if its plan were the one called *plan*.

    Raises:
        InvalidDocumentError: the file can't be used, there is no such plan, or the service can't have it.
    """
    if plan not in DEFAULT_PLANS:
        raise InvalidDocumentError(
            f"there is no plan {plan!r}",
            hint=f"take one of {', '.join(DEFAULT_PLANS)}, or another file",
        )
    # Whatever is wrong in the file itself is told as `validate` tells it.
    load_service(path)
    document = read_yaml(path.read_text(encoding="utf-8"), file=str(path))
    written, complaints = check_shape(document.value)
    if written is None:
        raise _invalid(path, complaints)
    chosen = written.model_copy(update={"plan": plan})
    resolution, complaints = resolve(chosen, path.parent.absolute())
    if resolution is None:
        raise _invalid(path, complaints)
    return from_canonical(to_document(resolution.spec))


def _invalid(path: Path, complaints: list[Complaint]) -> InvalidDocumentError:
    problems = [Problem(what=one.what, fix=one.fix, mark=None) for one in complaints]
    return invalid_document(str(path), problems)
