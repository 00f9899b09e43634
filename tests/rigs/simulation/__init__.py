"""A week of polling under a virtual clock: the real schedule, queues and claims; a model of the hosts out there."""
