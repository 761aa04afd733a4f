"""What makes a change dangerous: a module for each resource, with its rules and a function ``problems``.

``problems(prior, planned, known)`` is pure. ``prior`` and ``planned`` are the attributes of the resource as Terraform
has them in a plan, None where it is created or deleted; a value that only the apply will tell is left out. ``known`` is
what is known of the cluster; None where nobody could ask, and then nothing is said that depends on it.

No models here: the provider, which starts several times in every plan, loads this package each time.
"""
