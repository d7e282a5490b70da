"""Train heads, and convert the default encoder to int8."""
