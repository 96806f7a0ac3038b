"""Misclassified rows: as images, as texts, or as a list of feature values.

What lives here: ``MisclassifiedDisplay``. What doesn't: counts of mistakes, which are
``sklearn.metrics.ConfusionMatrixDisplay``; a row as an image or a text (``_rows``).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..losses._decision import most_probable
from ..metrics._inputs import check_predictions
from ..metrics._options import check_count, check_option
from ._drawing import MAX_INCHES, fit_text, given_axes, one_axes, panels, shorten, width_of
from ._inputs import check_names, predict
from ._rows import as_images, as_texts, linear_contributions, n_rows_of, percent

LINE = 0.22  # inches between lines of a list
FONT_SIZE = 8.3


class MisclassifiedDisplay:
    """Wrong predictions with the probabilities of the predicted and of the true class: tiles of images, or a list of rows.

    Made by ``from_estimator`` or ``from_predictions``. Mistakes are in descending order of the predicted class's probability:
    wrong labels are often among the first. Texts are listed as they are, rows of a table by the values that matter most.

    Parameters
    ----------
    predicted, true : array-like of shape (n_shown,)
        Names of the predicted and of the true classes.
    proba, true_proba : array-like of shape (n_shown,)
        Probabilities of the predicted and of the true class.
    rows : array-like of shape (n_shown,)
        Their row numbers in the data.
    n_wrong, n_rows : int
        Numbers of mistakes and of rows.
    images : array-like of shape (n_shown, height, width) or (n_shown, height, width, 3), default=None
        The rows as images, drawn as tiles.
    texts : sequence of str, default=None
        The rows as texts, listed if there are no images.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        One a tile, or a single one for the list.
    figure_ : matplotlib Figure
    images_ : list of matplotlib AxesImage
    texts_ : list of matplotlib Text
        The texts of the rows in the list.

    Examples
    --------
    >>> from sklearn.datasets import load_digits, load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plots import MisclassifiedDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X[:900], y[:900])
    >>> display = MisclassifiedDisplay.from_estimator(clf, X[900:], y[900:], image_shape=(8, 8), max_rows=6)
    >>> len(display.images_)
    6

    A table, of which two values a row are listed:

    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X[::4], y[::4])
    >>> display = MisclassifiedDisplay.from_estimator(clf, X, y, n_features=2)
    >>> display.texts[0].count(" = ")
    2
    """

    def __init__(
        self,
        *,
        predicted: ArrayLike,
        true: ArrayLike,
        proba: ArrayLike,
        true_proba: ArrayLike,
        rows: ArrayLike,
        n_wrong: int,
        n_rows: int,
        images: ArrayLike | None = None,
        texts: list[str] | None = None,
    ) -> None:
        self.predicted = predicted
        self.true = true
        self.proba = proba
        self.true_proba = true_proba
        self.rows = rows
        self.n_wrong = n_wrong
        self.n_rows = n_rows
        self.images = images
        self.texts = texts

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        image_shape: tuple[int, ...] | None = None,
        feature_names: ArrayLike | None = None,
        n_features: int = 4,
        contributions: ArrayLike | None = None,
        class_names: ArrayLike | None = None,
        max_rows: int = 15,
        order: Literal["surest", "first"] = "surest",
        ax: Any = None,
        im_kw: dict[str, Any] | None = None,
    ) -> MisclassifiedDisplay:
        """Draw an estimator's mistakes.

        Parameters
        ----------
        estimator : classifier with ``predict_proba``
            Fitted.
        X : array-like or sparse matrix of shape (n_rows, n_features), or sequence of str
            As for ``from_predictions``.
        y : array-like of shape (n_rows,)
        contributions : array-like of shape (n_rows, n_features), default=None
            Contribution of each value to the prediction, such as SHAP values. By default, for a linear estimator, that to the
            difference of the logits of the predicted and the true class; for others as for ``from_predictions``.
        image_shape, feature_names, n_features, class_names, max_rows, order, ax, im_kw
            As for ``from_predictions``.

        Returns
        -------
        display : MisclassifiedDisplay

        Raises
        ------
        NotFittedError, ValueError
            The estimator is not fitted; bad input; no mistake.
        """
        proba, classes = predict(estimator, X)
        if image_shape is None and contributions is None:
            contributions = linear_contributions(estimator, X, check_predictions(y, proba, labels=classes))
        options: dict[str, Any] = {"image_shape": image_shape, "feature_names": feature_names, "n_features": n_features}
        options |= {"class_names": class_names, "max_rows": max_rows, "order": order, "ax": ax, "im_kw": im_kw}
        return cls.from_predictions(y, proba, X, labels=classes, contributions=contributions, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        X: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        feature_names: ArrayLike | None = None,
        n_features: int = 4,
        contributions: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        class_names: ArrayLike | None = None,
        max_rows: int = 15,
        order: Literal["surest", "first"] = "surest",
        ax: Any = None,
        im_kw: dict[str, Any] | None = None,
    ) -> MisclassifiedDisplay:
        """Draw the mistakes among predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        y_proba : array-like of shape (n_rows, n_classes)
        X : array-like or sparse matrix of shape (n_rows, n_features), or sequence of str
            Rows of a table, or texts; also images, (n_rows, height, width) or (n_rows, height, width, 3).
        image_shape : tuple of int, default=None
            (height, width) or (height, width, 3) of features that are pixels.
        feature_names : array-like of shape (n_features,), default=None
            By default the columns of a data frame, else x0, x1, …
        n_features : int, default=4
            Number of values listed of a table's row: those of the largest contributions.
        contributions : array-like of shape (n_rows, n_features), default=None
            Contribution of each value to the prediction, such as SHAP values. By default the distance from the mean of the
            row's true class, in standard deviations.
        labels : array-like of shape (n_classes,), default=None
            The classes in the order of the columns, where y_true may lack some of them.
        class_names : array-like of shape (n_classes,), default=None
            Names of the classes; by default their labels.
        max_rows : int, default=15
            Greatest number of rows shown.
        order : {"surest", "first"}, default="surest"
            Rows in descending order of the predicted class's probability, or in their own order.
        ax, im_kw
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
        check_count("max_rows", max_rows)
        check_count("n_features", n_features)
        given = check_predictions(y_true, y_proba, labels=labels)
        if given.labels is None:
            raise ValueError("y_true must hold labels: rows of class probabilities are neither right nor wrong.")
        names = given.classes if class_names is None else np.asarray(class_names)
        check_names("class_names", names, given.n_classes)
        if n_rows_of(X) != given.n_rows:
            raise ValueError(f"X must have {given.n_rows} rows, as many as y_true, got {n_rows_of(X)}.")
        predicted, confidence = most_probable(given.proba), given.proba.max(axis=1)
        wrong = np.flatnonzero(predicted != given.labels)
        if len(wrong) == 0:
            raise ValueError(f"There is nothing to draw: all {given.n_rows} rows are predicted correctly.")
        rows = (wrong[np.argsort(-confidence[wrong], kind="stable")] if order == "surest" else wrong)[:max_rows]
        images = as_images(X, rows, image_shape)
        shown = None if contributions is None else np.asarray(contributions)[rows]
        display = cls(
            predicted=names[predicted[rows]],
            true=names[given.labels[rows]],
            proba=confidence[rows],
            true_proba=given.proba[rows, given.labels[rows]],
            rows=rows,
            n_wrong=len(wrong),
            n_rows=given.n_rows,
            images=images,
            texts=as_texts(X, rows, given.labels, shown, feature_names, n_features) if images is None else None,
        )
        return display.plot(ax=ax, im_kw=im_kw)

    def plot(self, ax: Any = None, *, im_kw: dict[str, Any] | None = None) -> MisclassifiedDisplay:
        """Draw the tiles or the list.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            One a tile, or a single one for the list. By default those of a new figure.
        im_kw : dict, default=None
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
        shown = zip(*map(np.asarray, (self.predicted, self.true, self.proba, self.true_proba)), strict=True)
        captions: list[tuple[str, ...]] = [(str(p), str(t), percent(proba), percent(true)) for p, t, proba, true in shown]
        title = f"{len(captions)} of {self.n_wrong:,} mistakes in {self.n_rows:,} rows"
        self.images_: list[Any] = []
        self.texts_: list[Any] = []
        if self.images is None:
            self._plot_list(ax, captions, title)
        else:
            self._plot_images(ax, captions, title, im_kw or {})
        self.figure_ = self.ax_[0].figure
        return self

    def _plot_images(self, ax: Any, captions: list[tuple[str, ...]], title: str, im_kw: dict[str, Any]) -> None:
        """Draw a tile for each row, titled with the classes and their probabilities."""
        longest = max(max(len(f"{p} / {t}"), len(f"{of} / {of_true}")) for p, t, of, of_true in captions)
        size = (float(np.clip(0.075 * longest + 0.2, 1.4, MAX_INCHES / 5)), 1.85)
        self.ax_ = panels(ax, len(captions), self, size=size, n_columns=5)
        width = 0.95 * size[0] if ax is None else 1.1 * width_of(self.ax_[0])
        for panel, image, (predicted, true, *shares) in zip(self.ax_, np.asarray(self.images), captions, strict=True):
            self.images_.append(panel.imshow(image, **{"cmap": "gray_r", **im_kw}))
            names = [shorten(name, (width - 0.2) / 2, FONT_SIZE) for name in (predicted, true)]
            panel.set_title(f"{' / '.join(names)}\n{' / '.join(shares)}", fontsize=FONT_SIZE, pad=3)
            panel.set(xticks=[], yticks=[])
        if ax is None:
            self.ax_[0].figure.suptitle(f"predicted / true class and their probabilities:\n{title}", fontsize="medium")

    def _plot_list(self, ax: Any, captions: list[tuple[str, ...]], title: str) -> None:
        """Draw the rows as lines of a table: the classes with their probabilities, and the text."""
        given = None if ax is None else given_axes(ax)[0]
        width = 10.0 if given is None else width_of(given)
        places = (0.0, 0.22 * width, 0.44 * width)
        contents = [fit_text(text, 0.56 * width, FONT_SIZE) for text in self.texts or ()]
        lines = np.cumsum([1.3, *(0.3 + max(1, 1 + text.count("\n")) for text in contents)])
        panel = one_axes(given, self, size=(width, min(MAX_INCHES, LINE * lines[-1] + 0.5)))
        self.ax_ = np.array([panel], dtype=object)
        font: dict[str, Any] = {"fontsize": FONT_SIZE, "va": "top"}
        for x, head in zip(places, ("predicted", "true", "row"), strict=True):
            panel.text(x, 0, head, fontweight="bold", **font)
        for y, (predicted, true, *shares), text in zip(lines, captions, contents, strict=False):
            for x, name, share in zip(places, (predicted, true), shares, strict=False):
                panel.text(x, y, f"{shorten(name, 0.22 * width - 0.75, FONT_SIZE)}  {share}", **font)
            self.texts_.append(panel.text(places[2], y, text, **font))
        panel.set(xlim=(0, width), ylim=(lines[-1], -0.3))
        panel.set_axis_off()
        panel.set_title(title, loc="left", fontsize="medium")
