"""Gates as they are written, and as the plan has them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.documents.gates import settings_json, settings_of
from tidegate.documents.gates_knowing import Backup
from tidegate.documents.schema import service_schema
from tidegate.documents.service_file import from_canonical, read_service
from tidegate.domain.gates.model import GateMoment, GateSpec
from tidegate.errors import InvalidDocumentError
from tidegate.testing.memory_world import DOCUMENT


def gates_of(text):
    return read_service(
        f"{DOCUMENT}gates: {text}\n", file="tidegate.yaml", base_dir=Path("/nowhere")
    )


def test_a_gate_is_a_kind_or_a_kind_with_its_settings():
    """Every default is filled in, so that what is hashed says all that is asked."""
    resolved = gates_of("{before_start: [digest, {backup: 12h}], before_phase: [{healthy: {}}]}")

    digest, backup, healthy = resolved.spec.plan.gates
    assert (digest.name, digest.kind, digest.moment) == ("digest", "digest", "before_start")
    assert json.loads(backup.settings_json) == {"max_age": "12h", "restore_tested": "90d"}
    assert (backup.lasts, healthy.moment) == (timedelta(hours=1), GateMoment.BEFORE_PHASE)


def test_a_gate_before_a_phase_is_before_all_that_it_stands_for():
    """A phase with several shares is carried out in several; none of them is left out."""
    text = DOCUMENT.replace("traffic: 10%", "traffic: [5%, 10%]")
    text += "gates: {before_phase: [{digest: {phases: [few, all]}}]}\n"

    resolved = read_service(text, file="tidegate.yaml", base_dir=Path("/nowhere"))

    assert resolved.spec.plan.gates[0].phases == ("few-5%", "few-10%", "all")


def test_a_name_tells_two_gates_of_a_kind_apart():
    """And how long an answer is good may be said for each."""
    resolved = gates_of("{before_start: [backup, {backup: {name: files, max_age: 1h, lasts: 5m}}]}")

    assert [gate.name for gate in resolved.spec.plan.gates] == ["backup", "files"]
    assert resolved.spec.plan.gates[1].lasts == timedelta(minutes=5)


def test_the_resolved_document_reads_back_and_is_as_strict():
    """Whoever sends one past the file's reader gets no gate that the reader would have refused."""
    canonical = gates_of("{before_start: [digest, {backup: 12h}]}").canonical

    assert [gate.kind for gate in from_canonical(canonical).spec.plan.gates] == ["digest", "backup"]
    for change in (
        {"kind": "sure-thing"},
        {"settings": {"max_age": 12}},
        {"settings": {"name": "other"}},
        {"settings": {}, "deferred": True},
        {"name": "backup"},
        {"name": "backup-in-short"},
        {"lasts": 60},
    ):
        changed = json.loads(json.dumps(canonical))
        changed["plan"]["gates"][0] |= change
        with pytest.raises(InvalidDocumentError):
            from_canonical(changed)


def test_a_service_without_gates_has_the_document_it_always_had():
    """Digests and plan hashes of before stay."""
    assert (
        "gates"
        not in read_service(DOCUMENT, file="tidegate.yaml", base_dir=Path("/nowhere")).canonical[
            "plan"
        ]
    )


def test_another_setting_is_another_plan():
    """Approvals are bound to the plan's hash, so nobody agrees to one gate and gets another."""
    one, other = (
        gates_of(f"{{before_start: [{{backup: {age}}}]}}").digest for age in ("12h", "13h")
    )

    assert one != other


@pytest.mark.parametrize(
    "kind", sorted(name for name, kind in GATE_KINDS.items() if kind.stands_alone)
)
def test_every_kind_has_settings_that_read_back(kind):
    """A driver reads what the document's reader wrote."""
    model = GATE_KINDS[kind].settings
    spec = GateSpec(
        name=kind,
        kind=kind,
        moment=GateMoment.BEFORE_START,
        settings_json=settings_json(model()),
        lasts=timedelta(hours=1),
    )

    assert settings_of(spec, model) == model()


def test_settings_of_another_version_are_refused_with_what_to_do():
    """A driver that can't read what it's asked must not guess."""
    spec = GateSpec(
        name="backup",
        kind="backup",
        moment=GateMoment.BEFORE_START,
        settings_json='{"max_age": "1d", "colour": "green"}',
        lasts=timedelta(hours=1),
    )

    with pytest.raises(InvalidDocumentError, match="settings of gate backup"):
        settings_of(spec, Backup)


def test_the_schema_offers_every_kind():
    """An editor completes what the reader takes."""
    schema = service_schema()
    item = schema["$defs"]["GateItem"]

    assert set(item["properties"]) == set(GATE_KINDS)
    assert item["additionalProperties"] is False
