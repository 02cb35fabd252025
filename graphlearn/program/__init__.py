"""From a graph to a straight-line program, in no language and for no device."""
