"""What plugins are: kinds, options, ports, and how they are found, registered and resolved."""
