"""How to explain a model: one short module for each family of methods, plain functions."""
