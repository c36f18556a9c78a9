"""The teacher: knowledge of the 14 conditions, a language model that writes from it, the gate and the library.

Nothing here is imported eagerly, so that the library can be read without torch or transformers.
"""
