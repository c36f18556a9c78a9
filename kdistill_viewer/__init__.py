"""The desktop viewer: a radiograph, what the student says of it and from where, and what the teacher says.

Nothing in this package imports torch, transformers or captum; models live in the engine's worker process.
"""
