"""What a platform is, what makes a declaration of it invalid, and the contract that it must keep.

Pure data: no CDK, no network, no files. The names below are loaded when they are first used, so that the provider,
which starts several times in every plan, pays for no model that it does not need.
"""
