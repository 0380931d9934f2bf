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
# An open lesson holds one to two gigabytes of memory. Close it with *File → Close and Shut Down Notebook*; closing only its page leaves the
# memory in use for an hour. More under [How to work](#How-to-work), below the table.
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
# - **Close** a lesson with *File → Close and Shut Down Notebook*: this ends its kernel, the process that computes. After closing only the
#   page (its tab, or the browser) the kernel goes on, so that you can come back to what you have computed; it is ended when nothing has been computed
#   in it for an hour. What you have written is saved. A kernel that is computing, or whose page is open, is never ended by itself.
# - **Your own copies.** What you open with `make lab` lies in the folder `workbook`, and nothing overwrites it. After an update of the course
#   (`git pull`, then `make lab`), a lesson that you have not touched is replaced. Beside a lesson that you have worked in, the new version appears
#   under its own name, such as `04_grad_cam (new).ipynb`. To start a lesson afresh, delete or rename your copy, and start `make lab` again.
