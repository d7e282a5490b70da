"""How a library uses encoders: which ones it has, what a version is built with. A new encoder changes nothing here."""
