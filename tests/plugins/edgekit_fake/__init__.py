"""A third party's target, for tests: a pickle-free copy of the program, run by PyTorch. And several ways to misbehave."""
