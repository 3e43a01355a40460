"""The agent: measures its machine, runs allowed commands, answers paired consoles and nobody else."""
