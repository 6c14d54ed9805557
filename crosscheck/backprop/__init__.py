"""The hand-written backpropagation: the textbook's scalar loops, and the vectorised rules."""
