# %% [markdown]
# # Explainable AI, hands on
#
# Why did the model decide as it did, and how far can you believe the explanation? In these lessons you write each method yourself,
# prove it equal to the libraries, and score it against the truth.
#
# Run the next two cells (Shift + Enter). The first one looks whether everything that the lessons need is there; the second one shows
# which exercises you have solved.

# %%
from importlib import import_module

for name in ("torch", "torchvision", "captum", "matplotlib", "ipywidgets", "course_utils.labs"):
    import_module(name)
print("All set. Choose a lesson from the table.")

# %%
from course_utils.teach.progress import Progress

Progress()

# %% [markdown]
# ## The lessons
#
# <!-- table of lessons -->
#
# ## How to work
#
# - **Run** a lesson's cells from top to bottom (Shift + Enter). Nothing is downloaded, and a lesson computes in about a minute.
#   To go to one section only: run the first code cell and then the section's own cells, or click into the section and choose
#   *Run → Run All Above Selected Cell*.
# - **Predict.** Your copy of a lesson has no outputs yet. Where the text asks what will come out, answer before you run the next cell.
# - **Exercises** are rated from ★☆☆ to ★★★. Write your answer where it says `# your code here`, run the cell, then run the cell below it:
#   it says whether the answer is not there yet, wrong and why, or right. In a new cell, `exercises.name.hint()` gives one hint at a time
#   (with the exercise's own name). The solution is folded below.
# - **Close** a lesson with *File → Close and Shut Down Notebook*. Closing only its tab leaves its kernel running, with one to two gigabytes of memory.
# - **Your own copies.** What you open with `make lab` lies in the folder `workbook`, and nothing overwrites it. After an update of the course
#   (`git pull`, then `make lab`), a lesson that you have not touched is replaced. Beside a lesson that you have worked in, the new version appears
#   under its own name, such as `04_grad_cam (new).ipynb`. To start a lesson afresh, delete or rename your copy, and start `make lab` again.
