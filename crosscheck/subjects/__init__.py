"""Whatever claims to be a gradient: the built-in backprop, a user's callable, a framework, scikit-learn's MLP."""
