"""English words of the command line."""

WORDS = {
    # shared
    "bar.step": "step",
    "bar.epoch": "epoch",
    "bar.loss": "loss",
    "chart.log": "log scale",
    "train.compiling": "compiling ...",
    "confusion.intro": (
        "Which class was taken for which, on rows that training never saw: a row is the truth, a column the answer."
    ),
    "confusion.truth": "truth",
    # demo
    "demo.aside": "see every step, then train at compiled speed",
    "demo.intro": (
        "A neural network is a graph of mathematics. Part 1 derives one network step by step, draws it and trains "
        "it; parts 2 and 3 train on real data. Everything below is computed while you watch."
    ),
    "demo.part": "part {part} of 3",
    "demo.source": "Data: {source}. {licence}.",
    "demo.end": "That was the tour",
    "demo.seconds": "{seconds} s",
    "demo.file.svg": "the graph with its values and gradients",
    "demo.file.txt": "the derivation",
    "demo.file.py": "the training loop that was compiled",
    "demo.next": "Go on with your own formula, or your own table:",
    # XOR
    "xor.title": "XOR: a network of 2-3-1 units",
    "xor.intro": (
        "XOR is 1 where exactly one of the two inputs is 1. No straight line separates the ones from the zeros, so a "
        "hidden layer is needed: here three tanh units, then one sigmoid unit whose output p is the probability of a "
        "1. The loss L is the mean binary cross-entropy. First, how does L change with each of the 13 parameters? "
        "Every use of the chain rule, with its numbers:"
    ),
    "diagram.heading": "Diagram",
    "diagram.where": (
        "The same graph as a picture, with the same names and numbers: {path} (open it in a browser). Grey arrows "
        "carry values forward, red arrows carry gradients back."
    ),
    "train.heading": "Training",
    "train.intro": (
        "{steps} steps of gradient descent with learning rate {rate:g}, each on all four rows. The whole loop, "
        "forward, backward and update, is one compiled function in float64."
    ),
    "time.who": "who",
    "time.steps": "steps",
    "time.each": "per step",
    "time.compiled": "compiled loop",
    "time.reference": "NumPy reference",
    "time.ratio": (
        "The compiled loop is {ratio} times as fast (fastest of {runs} runs each, side by side; the reference runs "
        "fewer steps, since each takes the same time). Getting ready took {compiling} s, most of it the first time "
        "only."
    ),
    "time.agree": "In their first {steps} steps the losses of both differ by at most {bound}.",
    "curve.heading": "Loss curve",
    "truth.heading": "Truth table",
    "truth.target": "target t",
    "truth.before": "p before",
    "truth.after": "p after",
    "truth.answer": "answer",
    # penguins
    "penguins.title": "Penguins: linear regression",
    "penguins.intro": (
        "The body mass of {rows} penguins from three measurements in mm: {columns}. Each is standardised to mean 0 "
        "and deviation 1; the loss is half the mean squared error. A linear model is a network of one layer, and for "
        "it alone the best weights have a formula, the normal equations. Gradient descent on the full batch must "
        "arrive at the same place:"
    ),
    "penguins.quantity": "weight of",
    "penguins.descent": "gradient descent (g)",
    "penguins.normal": "normal equations (g)",
    "penguins.bias": "bias",
    "penguins.loss": "loss, in g²",
    "penguins.apart": (
        "The relative distance of the two losses is at most {bound} (wanted: 1e-6). {steps} steps, {time} each."
    ),
    "penguins.reading": "Reading: flippers {mm} mm longer (one deviation), all else equal, go with {grams} g more.",
    "penguins.error": "The typical error is {rmse} g; the three measurements explain {percent}% of the variance.",
    # iris
    "iris.title": "Iris: a softmax network",
    "iris.intro": (
        "Three species of iris from four measurements: {train} rows to learn from, {test} kept apart as a test, both "
        "with the same share of each species. A network of 4-{hidden}-3 units with tanh and softmax, trained with "
        "Adam for {epochs} epochs in batches of {batch}."
    ),
    "iris.train": "training",
    "iris.test": "test",
    "iris.part": "rows",
    "iris.right": "right",
    "iris.accuracy": "accuracy",
    # files
    "wrote": "Wrote {path}",
    # cache
    "cache.cleared": "Removed {count:compiled object|compiled objects}.",
    "cache.where": "Compiled code is kept in {folder}",
    "cache.holds": "{files:object|objects}, {size} of at most {limit}",
    "cache.unusable": "Nothing is kept at present: {reason}.",
    # train
    "table.title": "Training on {file}",
    "task.text": "The target {target!r} is text with {distinct:value|different values}.",
    "task.few": "The target {target!r} has {distinct:value|different values}, all whole numbers.",
    "task.numbers": "The target {target!r} is a number with {distinct:value|different values}.",
    "task.given": "The target is {target!r}.",
    "task.classification": "This is classification (say --task regression to make it the other).",
    "task.regression": "This is regression (say --task classification to make it the other).",
    "table.rows": "{rows:row|rows} to learn from, {kept} kept apart for validation. Inputs, standardised: {columns}.",
    "table.dropped": "Left out, since a cell is missing: {rows} of {all:row|rows}.",
    "table.constant": "The same in every training row, so nothing can be learned from it: {columns}.",
    "table.network": (
        "A network of {sizes} units with {activation}, {count:parameter|parameters}, trained with Adam for "
        "{epochs:epoch|epochs} at learning rate {rate:g}."
    ),
    "table.linear": (
        "A network of {sizes} units without a hidden layer, {count:parameter|parameters}, trained with Adam for "
        "{epochs:epoch|epochs} at learning rate {rate:g}."
    ),
    "table.time": "{steps:step|steps}, {each} per step.",
    "table.training": "training",
    "table.validation": "validation",
    "table.lowest": (
        "The validation loss was lowest after epoch {epoch} of {epochs}. What was learned later helps only on the "
        "training rows: try --epochs {epoch}."
    ),
    "table.rose": (
        "The training loss is {last:.4g} in the last epoch, after {first:.4g} in the first; an answer that knows "
        "nothing has {chance:.4g}. The steps are too long: try --learning-rate {rate:g}."
    ),
    "table.figures": "How good it is",
    "table.part": "rows",
    "table.next": "Answers to new rows of the same columns:",
    "figure.rmse": "typical error",
    "figure.guess": "best guess",
    "figure.regression": (
        "The typical error is the root of the mean squared error, in the target's unit. The best guess without "
        "looking is the mean of the training rows; its error stands beside. R² is the share of the variance that the "
        "network explains."
    ),
    "figure.classification": (
        "The best guess without looking is {common!r}, the most frequent class of the training rows; its accuracy "
        "stands beside."
    ),
    "figure.confusion": (
        "Which class was taken for which, on the validation rows: a row is the truth, a column the answer."
    ),
    # predict
    "predict.right": "{right} of {rows:row|rows} right, {share}.",
    "predict.error": "Typical error {rmse}, R² {explained}, on {rows:row|rows}.",
}
