"""Sample photographs and pictures to try findimg with."""
