"""The one distributed group-by: sketches, key ranges, links, components, selections."""
