"""The built-in operators, registered like any other plugin."""
