"""Cross-modal distillation: the terms of the objective, what each side gets to see, and the trainer."""
