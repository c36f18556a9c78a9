"""How good a teacher is: what it reads easily, what it knows, and whether what it writes may stand."""
