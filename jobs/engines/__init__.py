"""The engines that run the work of a plan: Ray, or this process alone."""
