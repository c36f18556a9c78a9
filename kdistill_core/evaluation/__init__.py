"""Measuring what the models say: classification, generated text, agreement, each with its interval and baseline."""
