# %% [markdown]
# # Explainable AI, hands on
#
# Why did the model decide as it did, and how far can you believe the explanation? In these lessons you write each method yourself,
# prove it equal to the libraries, and score it against the truth.
#
# <!-- table of lessons -->
#
# **How to work.** Open a lesson and run its cells from top to bottom (Shift + Enter). Nothing is downloaded, and a whole lesson computes in about
# a minute (the last one in two). Exercises are rated from ★☆☆ to ★★★. Write your answer where it says `# your code here`, run the cell below it, and
# it tells you whether the answer is not there yet, wrong and why, or right. `hint()` gives one hint at a time; the solution is folded below.
#
# The cell below looks whether everything that the lessons need is there.

# %%
from importlib import import_module

for name in ("torch", "torchvision", "captum", "matplotlib", "ipywidgets", "course_utils.labs"):
    import_module(name)
print("All set. Choose a lesson from the table.")
