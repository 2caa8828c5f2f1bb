"""The papers' analyses: where a model is good, where it is not, and what pictures change."""
