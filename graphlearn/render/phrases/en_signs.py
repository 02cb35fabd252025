"""English: why adjoints are what they are, and what the signs of formulas mean."""

SIGNS = {
    "because.differential": "Differentiating {equation} on both sides gives {result}; d stands for a small change.",
    "because.chain.prod": "The derivative of a product by one factor is the product of all the others.",
    "because.chain.max": "Only the largest entry moves the maximum, so it alone gets the gradient.",
    "because.chain.min": "Only the smallest entry moves the minimum, so it alone gets the gradient.",
    "because.chain.cumsum": "An entry counts in every sum from its own place on, so the gradients of those places add.",
    "because.chain.take": "An entry that is taken several times gets the sum of the gradients.",
    "because.chain.take_along_axis": "An entry that is taken several times gets the sum of the gradients.",
    "because.chain.slice": "Entries outside the part that is taken have no influence, so their gradient is 0.",
    "because.chain.inlay": "Only the entries of the region come from here, so the gradient is taken from there.",
    "because.chain.concatenate": "Each part gets its own piece of the gradient.",
    "because.chain.windows": "An entry may lie in several windows: the gradients of its copies add.",
    "because.chain.var": (
        "Moving an entry moves the mean as well, but that share vanishes: the distances from the mean add up to 0."
    ),
    "because.chain.std": (
        "Moving an entry moves the mean as well, but that share vanishes: the distances from the mean add up to 0."
    ),
    "sign.entrywise": "{sign} multiplies two arrays entry by entry.",
    "sign.ones": "{sign} is an array of ones.",
    "sign.where": "{sign} is a where the condition c holds, and b elsewhere.",
    "sign.indicator": "{sign} is 1 where the condition c holds, and 0 elsewhere (Iverson's bracket).",
    "sign.rows": "{sign} is a matrix with the rows a b and c d: the bar ends a row.",
    "sign.sigmoid": "{sign} = 1 / (1 + exp(−z)), the sigmoid.",
    "sign.floor_divide": "{sign} is a / b rounded down to a whole number.",
    "sign.kronecker": "{sign} is 1 for i = j, and 0 otherwise (Kronecker's delta).",
    "sign.lower_half": "{sign} is the lower triangle of A with half of its diagonal, and zeros above.",
    "sign.chol": "{sign} is the lower triangular matrix L with L Lᵀ = A and a diagonal above 0.",
    "sign.softplus": "{sign} = log(1 + exp(z)).",
    "sign.cof": "{sign} is the matrix of cofactors: (−1)ⁱ⁺ʲ times the determinant of A without row i and column j.",
    "sign.before": "{sign} is, at each place, the product of the entries before it; 1 at the first place.",
    "sign.after": "{sign} is, at each place, the product of the entries after it; 1 at the last place.",
    "sign.recurrence": (
        "{sign} is s with s₁ = 0 and sₖ₊₁ = aₖ·sₖ + bₖ along the axis; with reverse=True it starts from the end."
    ),
    "sign.cumsum": "{sign} adds up the entries up to each place; with reverse=True those from it on.",
    "sign.scatter": (
        "{sign} is an array of zeros to which each entry of g is added, at the place that its number in k names."
    ),
    "sign.take_along_axis": "{sign} takes, along the axis, the entry of x that the number in k names.",
    "sign.scatter_along_axis": (
        "{sign} is an array of zeros to which each entry of g is added, at the place along the axis that k names."
    ),
    "sign.inlay": "{sign} is an array of zeros in which g fills the region.",
    "sign.windows": "{sign} lists all windows of n neighbouring entries of x; an entry may lie in several.",
    "sign.overlap_add": "{sign} puts windows back in their places and adds where they overlap.",
    "sign.conv": "{sign} slides w over x: at each place the entries under w, times w, are added up.",
    "sign.conv_image": "{sign} goes back: each entry of g, times w, is added to the window from which it came.",
    "sign.conv_kernel": "{sign} adds up the windows of x, each times the entry of g that came from it.",
    "sign.broadcast": "{sign} repeats x to the shape that follows.",
    "sign.none": "{sign} puts an axis of length 1 in that place, along which the array is repeated where it is needed.",
    "sign.guarded": "{sign} is b, computed as a where c holds, since b loses its digits there.",
    "sign.reshape": "{sign} has the entries of x in the shape that follows.",
    "sign.tril": "{sign} keeps the lower triangle of A; a number after A moves its edge up.",
    "sign.triu": "{sign} keeps the upper triangle of A; a number after A moves its edge up.",
    "sign.diag": "{sign} is a matrix with the entries of x on its diagonal; a number after x moves the diagonal up.",
    "sign.diagonal": "{sign} is the diagonal of A; a number after A means one above it.",
    "sign.einsum": (
        "{sign} multiplies the entries whose letters agree and adds them up over the letters that the result has not."
    ),
    "sign.sech": "{sign} = 1 − tanh²(z).",
}
