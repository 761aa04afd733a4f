"""The resources and the data source of the provider ``hikube``, one file each."""
