"""The use cases, running: each chain with its real parts on this machine. See ``docs/usecases/``."""
