"""
The gate `signature`: for each changed component, those who are trusted signed its very digest.

Works without any network: keys, identities and the root that vouches for them are in the gate's settings,
what was signed is submitted.
"""

import asyncio

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_verifying import SignatureSettings
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.statements import Accepted, Statement, judge
from tidegate.drivers.gate.submitted import quoted
from tidegate.ports.gate import GateAnswer, GateQuestion


class SignatureGate:
    """Answers the gate `signature` from submitted DSSE envelopes with in-toto statements."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether each artifact of the change is signed; see `ports.gate`."""
        settings = settings_of(question.spec, SignatureSettings)

        def examine(statement: Statement) -> Accepted:
            return _examine(statement, settings)

        return await asyncio.to_thread(judge, question, settings, examine)


def _examine(statement: Statement, settings: SignatureSettings) -> Accepted:
    if statement.predicate_type not in settings.predicate_types:
        # A statement may say anything of an artifact, also that it must not be used.
        raise RefusedError(
            Check.PREDICATE_TYPE,
            f"the statement about it is a {quoted(statement.predicate_type)}, which isn't asked for",
        )
    by = ", ".join(sorted(statement.signers))
    return Accepted(
        because=f"is signed by {by}",
        facts=(*statement.signed_facts, ("statement", statement.predicate_type)),
    )
