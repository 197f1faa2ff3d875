"""What an organisation says once for all of its services: who its people are and what they must agree to."""
