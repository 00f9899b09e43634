"""A week of polling under a virtual clock: the real schedule, lines and claims; a model of the hosts out there."""
