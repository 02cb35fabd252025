"""What is known about each shipped file, as a table: classes, description, source, licence. Its rule: no code.

`data/LICENSES.md` says the same beside the files and how each licence was confirmed; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

CC_BY = "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/): credit the creators and say what was changed"
CC0 = "CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/): no conditions; citing the authors is good practice"


@dataclass(frozen=True, slots=True)
class Record:
    """The facts about one file of `data/`.

    Args:
        classes: names of the classes in the order of their indices; empty for a file that is read otherwise.
        whole_numbers: features and class indices are integers from 0 to 255; read as such in half the time.
        description: what was measured, and what was left out.
        source: who made the data, and where it is archived.
        licence: its name, its address and what it asks for.
    """

    classes: tuple[str, ...]
    whole_numbers: bool
    description: str
    source: str
    licence: str


RECORDS = {
    "iris": Record(
        classes=("setosa", "versicolor", "virginica"),
        whole_numbers=False,
        description=(
            "Length and width of sepals and petals of 150 irises, 50 of each of three species, measured by Edgar "
            "Anderson and published by R. A. Fisher. Setosa is linearly separable from the other two. The values are "
            "those of Fisher's paper: the copy in the UCI repository departs from it in three cells of rows 35 and 38."
        ),
        source=(
            "R. A. Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7(2), "
            "179-188; archived as Iris, UCI Machine Learning Repository, https://doi.org/10.24432/C56C76"
        ),
        licence=CC_BY,
    ),
    "digits": Record(
        classes=tuple("0123456789"),
        whole_numbers=True,
        description=(
            "1797 handwritten digits by 13 writers, as images of 8 x 8: each pixel counts the inked dots, 0 to 16, in "
            "a 4 x 4 block of a 32 x 32 bitmap. This is the test set of the archive, whose writers do not occur in its "
            "training set (3823 digits, not shipped). X.reshape(-1, 8, 8) gives the images."
        ),
        source=(
            "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, https://doi.org/10.24432/C50P49"
        ),
        licence=CC_BY,
    ),
    "breast_cancer": Record(
        classes=("benign", "malignant"),
        whole_numbers=False,
        description=(
            "Ten properties of the cell nuclei in images of 569 breast masses (fine needle aspirates), each as mean, "
            "standard error and worst (mean of the three largest values); the diagnosis is to be predicted. Class 1 is "
            "malignant, so that a sigmoid output is the probability of what is looked for. The archive states no "
            "units; its patient numbers are not shipped."
        ),
        source=(
            "W. H. Wolberg, O. L. Mangasarian, W. N. Street (1995), Breast Cancer Wisconsin (Diagnostic), UCI Machine "
            "Learning Repository, https://doi.org/10.24432/C5DW2B"
        ),
        licence=CC_BY,
    ),
    "penguins": Record(
        classes=(),
        whole_numbers=False,
        description=(
            "Body size of 344 penguins of three species (Adelie, Chinstrap, Gentoo), measured by Kristen Gorman and "
            "the Palmer Station long-term ecological research programme, Antarctica, 2007-2009."
        ),
        source=(
            "K. B. Gorman, T. D. Williams, W. R. Fraser (2014), Ecological sexual dimorphism and environmental "
            "variability within a community of Antarctic penguins (genus Pygoscelis), PLoS ONE 9(3), e90081, "
            "https://doi.org/10.1371/journal.pone.0090081; tidied by A. M. Horst, A. P. Hill, K. B. Gorman (2020), "
            "palmerpenguins, https://doi.org/10.5281/zenodo.3960218"
        ),
        licence=CC0,
    ),
}
