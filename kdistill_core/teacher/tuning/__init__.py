"""Training a teacher: its blocks of tokens, its examples of rationales, and the fine-tuning itself."""
