"""The rollout as a pure machine: step(state, event) -> commands. It never sleeps, reads a clock or calls anything."""
