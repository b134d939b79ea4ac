"""Untimed side of the bench: what runs in Python, inside the simulator process or around it."""
