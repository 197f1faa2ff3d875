"""The safety authority on SQLAlchemy: state, ledger entry and outbox row in one transaction."""
