"""Going faster when it must be: protocols, declared emergencies and the debts they leave."""
