"""The nouns: frozen records, limits and errors. Standard library only; every other package may import it."""
