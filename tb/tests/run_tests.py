"""Replay of a request trace: the test inside the simulator that `hbm run` and `hbm bench` start."""
