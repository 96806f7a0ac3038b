"""Images that a classifier took for something else.

What lives here: ``MisclassifiedDisplay``. What doesn't: counts of mistakes, which are
``sklearn.metrics.ConfusionMatrixDisplay``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics._inputs import check_predictions
from ..metrics._options import check_count, check_option
from ._drawing import check_image_shape, panels, predict


class MisclassifiedDisplay:
    """Tiles of wrong predictions, each with "predicted / true, probability".

    Made by ``from_estimator`` or ``from_predictions``. The first tile is the mistake that the model was surest of: look
    there for wrong labels.

    Parameters
    ----------
    images : array-like of shape (n_tiles, height, width) or (n_tiles, height, width, 3)
    predicted, true : array-like of shape (n_tiles,)
        Labels.
    proba : array-like of shape (n_tiles,)
        Of the predicted class.
    rows : array-like of shape (n_tiles,)
        Where the images stand in the data.
    n_wrong, n_rows : int
        How many mistakes there are, and rows.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        One a tile.
    figure_ : matplotlib Figure
    images_ : list of matplotlib AxesImage

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import MisclassifiedDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X[:900], y[:900])
    >>> display = MisclassifiedDisplay.from_estimator(clf, X[900:], y[900:], image_shape=(8, 8), n_tiles=6)
    >>> len(display.images_)
    6
    """

    def __init__(
        self,
        *,
        images: ArrayLike,
        predicted: ArrayLike,
        true: ArrayLike,
        proba: ArrayLike,
        rows: ArrayLike,
        n_wrong: int,
        n_rows: int,
    ) -> None:
        self.images = images
        self.predicted = predicted
        self.true = true
        self.proba = proba
        self.rows = rows
        self.n_wrong = n_wrong
        self.n_rows = n_rows

    @classmethod
    def from_estimator(cls, estimator: Any, X: ArrayLike, y: ArrayLike, **options: Any) -> MisclassifiedDisplay:
        """Draw an estimator's mistakes.

        Parameters
        ----------
        estimator : classifier with ``predict_proba``
            Fitted.
        X : array-like of shape (n_rows, n_features)
            Its features are pixels.
        y : array-like of shape (n_rows,)
        **options
            As for ``from_predictions``; ``image_shape`` is needed.

        Returns
        -------
        display : MisclassifiedDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input; no mistake.
        """
        proba, classes = predict(estimator, X)
        return cls.from_predictions(y, proba, X, labels=classes, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        X: ArrayLike,
        *,
        image_shape: tuple[int, ...],
        labels: ArrayLike | None = None,
        class_names: ArrayLike | None = None,
        n_tiles: int = 15,
        order: Literal["surest", "first"] = "surest",
        ax: Any = None,
        **kwargs: Any,
    ) -> MisclassifiedDisplay:
        """Draw the mistakes among predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        y_proba : array-like of shape (n_rows, n_classes)
        X : array-like of shape (n_rows, n_features)
            Its features are pixels.
        image_shape : tuple of int
            (height, width) or (height, width, 3) of the features.
        labels : array-like of shape (n_classes,), default=None
            The classes in the order of the columns, where y_true may lack some of them.
        class_names : array-like of shape (n_classes,), default=None
            What to call them; by default their labels.
        n_tiles : int, default=15
            How many are drawn at most.
        order : {"surest", "first"}, default="surest"
            Those of largest probability, or the first rows.
        ax, **kwargs
            As for ``plot``.

        Returns
        -------
        display : MisclassifiedDisplay

        Raises
        ------
        ValueError
            Bad input; no mistake.
        """
        check_option("order", order, ("surest", "first"))
        check_count("n_tiles", n_tiles)
        given = check_predictions(y_true, y_proba, labels=labels)
        if given.labels is None:
            raise ValueError("y_true must hold labels: rows of class probabilities are neither right nor wrong.")
        images = np.asarray(X)
        images = images.reshape(len(images), -1)
        shape = check_image_shape(image_shape, images.shape[1])
        names = given.classes if class_names is None else np.asarray(class_names)
        if len(images) != given.n_rows or len(names) != given.n_classes:
            raise ValueError(
                f"X and class_names must have {given.n_rows} rows and {given.n_classes} names, "
                f"got {len(images)} and {len(names)}."
            )
        leader = given.proba.argmax(axis=1)
        confidence = given.proba.max(axis=1)
        wrong = np.flatnonzero(leader != given.labels)
        if len(wrong) == 0:
            raise ValueError(f"There is nothing to draw: all {given.n_rows} rows are predicted rightly.")
        chosen = wrong[np.argsort(-confidence[wrong], kind="stable")] if order == "surest" else wrong
        chosen = chosen[:n_tiles]
        display = cls(
            images=images[chosen].reshape(len(chosen), *shape),
            predicted=names[leader[chosen]],
            true=names[given.labels[chosen]],
            proba=confidence[chosen],
            rows=chosen,
            n_wrong=len(wrong),
            n_rows=given.n_rows,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> MisclassifiedDisplay:
        """Draw the tiles.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            One a tile. By default those of a new figure.
        **kwargs
            For ``Axes.imshow``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Too few axes.
        ImportError
            matplotlib is not installed.
        """
        images: NDArray = np.asarray(self.images)
        tiles = list(zip(images, *map(np.asarray, (self.predicted, self.true, self.proba)), strict=True))
        texts = [f"{predicted} / {true}, {_share(proba)}" for _, predicted, true, proba in tiles]
        width = max(1.3, 0.085 * max(map(len, texts)) + 0.1)
        self.ax_ = panels(ax, len(tiles), self, size=(width, 1.65), n_columns=5)
        self.figure_ = self.ax_[0].figure
        self.images_: list[Any] = []
        for panel, (image, *_), text in zip(self.ax_, tiles, texts, strict=True):
            self.images_.append(panel.imshow(image, **{"cmap": "gray_r", **kwargs}))
            panel.set_title(text, fontsize="small")
            panel.set(xticks=[], yticks=[])
        if ax is None:
            self.figure_.suptitle(
                f"predicted / true, probability: {len(tiles)} of {self.n_wrong:,} mistakes in {self.n_rows:,} rows"
            )
        return self


def _share(proba: float) -> str:
    """Return a probability with two decimals, but 1 only for what is exactly 1."""
    return "1" if proba == 1 else "> .99" if proba > 0.995 else f"{proba:.2f}".lstrip("0")
