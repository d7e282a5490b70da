"""What people type in and around a query: dates, polite words, mail. `normalise.py` prepares a query for the parser."""
