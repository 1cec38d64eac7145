"""Shared tools: devices, checkpoints, processes, workers, cluster, progress, seeds."""
