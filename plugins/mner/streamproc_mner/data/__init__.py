"""Labelled posts: reading them, and bringing every data set to one convention."""
