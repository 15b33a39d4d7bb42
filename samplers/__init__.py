"""The shelf: each folder is a complete OptunaHub package."""
