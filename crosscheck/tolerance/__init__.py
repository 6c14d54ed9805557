"""How far rounding may move each entry: derived by stochastic arithmetic, chosen by nobody."""
