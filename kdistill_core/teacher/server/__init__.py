"""Rationales from an OpenAI-compatible server: its address, requests, answers, faults, and the loop that asks it."""
