"""For maintainers: make the shipped weights and samples again, and measure them."""
