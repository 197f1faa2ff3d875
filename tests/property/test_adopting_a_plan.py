"""Adopting a plan: however two files are written, the plan is the wanted one and the rest stays."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidegate.documents.adopt import adopt_plan, named_section, plan_section
from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.documents.yaml import Value, read_yaml
from tidegate.documents.yaml_places import Place, places_of
from tidegate.errors import InvalidDocumentError

BASE_DIR = Path("/nowhere")

PARTS = (
    "version: 1",
    "service: shop",
    "owner: 'team: #1'  # who answers",
    'workload:\n  driver: process\n  command: ["./shop", "{port}"]\n  probe: {http: /}\n'
    '  traffic: {driver: envoy, listen: "127.0.0.1:18080"}',
    "targets:\n- {name: eu, environment: lab}\n# - {name: us, environment: lab}",
    "health:\n  signals: [{name: errors, kind: errors}]\n\n",
    "prove: {errors: 5pp,\n  min_requests: 100}",
)
comments = st.sampled_from(["", "# a comment", "  # an indented one", "\n# plan: quick"])


@st.composite
def plans(draw: st.DrawFn) -> str:
    """Return a `plan:` part: by name, or phases in one of the ways to write them, with comments."""
    if draw(st.booleans()):
        return draw(st.sampled_from(["plan: lab", '"plan": "lab" # by name', "plan:\n  lab"]))
    shares = sorted(draw(st.sets(st.integers(1, 99), min_size=1, max_size=4)))
    bake = draw(st.integers(10, 90))
    flow = draw(st.booleans())
    lines = ["plan:", "  phases:"]
    for number, share in enumerate([*shares, 100]):
        comment = draw(comments.filter(lambda one: "\n" not in one))
        if flow:
            lines.append(f"    - {{name: p{number}, traffic: {share}%, bake: {bake}s}} {comment}")
        else:
            lines += [f"  - name: p{number}", f"    traffic: '{share}%' {comment}"]
            lines += [f"    bake: {bake + number}s", "", comment]
    if draw(st.booleans()):
        lines.append("  quarantine: 60s")
    if draw(st.booleans()):
        phases = ", ".join(
            f"{{name: p{number}, traffic: {share}%, bake: 30s}}"
            for number, share in enumerate([*shares, 100])
        )
        return f"plan: {{phases: [{phases}],\n    tick: 1s}}"
    return "\n".join(lines)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Return a `tidegate.yaml` of the shop, with or without a plan, its parts in any order."""
    parts = list(PARTS)
    if draw(st.booleans()):
        parts.append(draw(plans()))
    parts = draw(st.permutations(parts))
    lines = [piece for part in parts for piece in (draw(comments), part)]
    text = draw(st.sampled_from(["", "\ufeff", "---\n"])) + "\n".join(lines)
    text += draw(st.sampled_from(["", "\n", "\n# the end\n\n", "\n...\n"]))
    return draw(st.sampled_from([text, text.replace("\n", "\r\n")]))


def read(text: str) -> ResolvedService:
    return read_service(text, file="tidegate.yaml", base_dir=BASE_DIR)


def around(text: str) -> tuple[str, str]:
    """Return what stands before and after the plan's part, without the blanks between."""
    root = places_of(text).root
    if "plan" not in root.entries:
        end = places_of(text).end
        return text[:end].rstrip(), text[end:]
    end = max(root.keys["plan"], root.entries["plan"].end)
    return text[: root.keys["plan"]].rstrip(), text[end:].partition("\n")[2]


@settings(max_examples=50)  # each reads five files
@given(files(), files())
def test_only_the_plan_changes_and_it_is_the_wanted_one(mine: str, theirs: str) -> None:
    """Before and after the plan not a character differs: no comment, no order, no end of a line."""
    wanted = read(theirs)
    section = plan_section(theirs, file="other.yaml") or named_section(wanted.spec.plan.name)

    adopted = adopt_plan(mine, section, wanted=wanted, file="tidegate.yaml", base_dir=BASE_DIR)

    assert read(adopted).canonical == {**read(mine).canonical, "plan": wanted.canonical["plan"]}
    if "plan" in places_of(mine).root.entries:
        assert around(adopted) == around(mine)
    else:
        before, after = around(mine)
        assert adopted.startswith(before)
        assert adopted.endswith(after)
    if "\r\n" in mine:
        assert "\n" not in adopted.replace("\r\n", "")
    else:
        assert "\r" not in adopted


@given(files())
def test_adopting_the_plan_that_is_there_changes_nothing(text: str) -> None:
    """Not a character."""
    section = plan_section(text, file="tidegate.yaml")
    if section is None:
        return

    same = adopt_plan(text, section, wanted=read(text), file="tidegate.yaml", base_dir=BASE_DIR)

    assert same == text


PIECES = (
    *("a", "b1", ": ", "\n", "\n  ", "\n- ", "[", "]", "{", "}", ", ", '"c: d"', "'e'", "7"),
    *("# f", " |\n  g\n", "\r\n", "---\n", "\n...\n", "? ", "é"),
)


@example("a: ---\n")
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_each_place_holds_the_value_that_was_read_there(text: str) -> None:
    """Of any text that is read: the characters of a word give that word."""
    try:
        value = read_yaml(text, file="x.yaml").value
    except InvalidDocumentError:
        return

    _compare(text, places_of(text).root, value)


def _compare(text: str, place: Place, value: Value) -> None:
    assert 0 <= place.begin <= place.end <= len(text)
    if isinstance(value, dict):
        assert list(place.entries) == list(value)
        for key, one in value.items():
            assert place.begin <= place.keys[key] <= place.end
            _compare(text, place.entries[key], one)
    elif isinstance(value, list):
        for inner, one in zip(place.items, value, strict=True):
            _compare(text, inner, one)
    elif isinstance(value, str) and "\n" not in text[place.begin : place.end]:
        # After a key, as a value stands: three dashes at the beginning of a line are none.
        again = read_yaml(f"key: {text[place.begin : place.end]}", file="x.yaml").value
        assert again == {"key": value}
