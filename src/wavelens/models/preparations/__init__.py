"""How a file of each kind of signal becomes a network's input."""
