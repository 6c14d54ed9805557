"""Known bugs, planted on purpose: the proof that a wrong backward is found, and the dictionary that names it."""
