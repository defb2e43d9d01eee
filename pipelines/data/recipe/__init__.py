"""How the sample data was made from its upstream sources."""
