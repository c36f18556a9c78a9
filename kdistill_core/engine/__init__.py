"""Inference: device, sessions, streaming, canceling; the worker process and its messages."""
