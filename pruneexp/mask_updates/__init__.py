"""How masks change while a network trains."""
