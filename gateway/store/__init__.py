"""The store: tables about processes and sealed references; no patient data in the clear."""
