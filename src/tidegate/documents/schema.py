"""
The JSON Schemas of `tidegate.yaml` and `tidegate-org.yaml`, for editors, made from the models that read them.

A first line `# yaml-language-server: $schema=…` gives completion and marks mistakes while writing. It
says less than the reader does: what keys demand of one another, and the rules for plans, are checked
by `tidegate validate`.
"""

import json
from typing import Any

from tidegate.documents.policy_written import PolicyFile
from tidegate.documents.written import ServiceFile


def service_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `tidegate.yaml`."""
    schema: dict[str, Any] = _plain(ServiceFile.model_json_schema(by_alias=True))
    schema["title"] = "tidegate.yaml"
    schema["oneOf"] = [{"required": ["workload"]}, {"required": ["components"]}]
    schema["properties"]["components"] |= {"additionalProperties": False, "minProperties": 1}
    process = schema["$defs"]["ProcessComponent"]
    process["oneOf"] = [{"required": ["package", "run"]}, {"required": ["command"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `tidegate-org.yaml`."""
    schema: dict[str, Any] = _plain(PolicyFile.model_json_schema(by_alias=True))
    schema["title"] = "tidegate-org.yaml"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def policy_schema_text() -> str:
    """Return the JSON Schema of `tidegate-org.yaml` as it is published."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def service_schema_text() -> str:
    """Return the JSON Schema as it is published."""
    return json.dumps(service_schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(part: Any, *, named: bool = False) -> Any:
    """
    Return *part* without what only models need: null for a key left out, and titles made of names.

    *named* says that the keys of *part* are names of properties, not words of JSON Schema.
    """
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    if named:
        return {name: _plain(member) for name, member in part.items()}
    kept = {key: member for key, member in part.items() if key != "title"}
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    choices = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if "anyOf" in kept and len(choices) == 1:
        del kept["anyOf"]
        # The key's own description says more than that of its type.
        kept = choices[0] | kept
    return {
        key: _plain(member, named=key in ("properties", "$defs", "patternProperties"))
        for key, member in kept.items()
    }
