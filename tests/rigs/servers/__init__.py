"""Real servers for tests: each starts on a free loopback port, can be stopped, killed, paused and started again."""
