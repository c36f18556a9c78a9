"""The literature: PubMed, PubMed Central, PubMedQA, JSON Lines and plain text to clean, packed text."""
