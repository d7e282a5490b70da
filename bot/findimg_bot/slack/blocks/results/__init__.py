"""Messages that show found images."""
