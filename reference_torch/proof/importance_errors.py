"""Deliberate errors in the importance-weighted bound, as those in ``deliberate_errors``."""

from numpyvae import importance
from numpyvae.importance import IWAE

from .deliberate_errors import (
    ALL_GRADIENTS,
    ENCODER,
    LOG_VAR_PATH,
    MEAN_PATH,
    Change,
    DeliberateError,
)

NORMALIZED = "return grad_bound * w / np.sum(w, axis=1, keepdims=True)"

IMPORTANCE_ERRORS = (
    DeliberateError(
        "a mean of logs for a log of the mean",
        "The mean of the samples' log-weights is the ELBO again, K times as expensive.",
        (
            Change(
                importance,
                "return largest[:, 0] + np.log(np.mean(np.exp(log_w - largest), axis=1))",
                "return np.mean(log_w, axis=1)",
            ),
            Change(
                importance,
                NORMALIZED,
                "return np.full_like(w, grad_bound / w.shape[1])",
            ),
        ),
        ("total", *ALL_GRADIENTS),
        consistent=True,
        public=True,
        samples=3,
    ),
    DeliberateError(
        "1/K forgotten",
        "A sum of weights is log K more than their mean: the bound is none, its gradient is right.",
        (Change(importance, "np.log(np.mean(", "np.log(np.sum("),),
        ("total",),
        consistent=True,
        samples=3,
    ),
    DeliberateError(
        "the same weight for every sample",
        "The gradient of the ELBO under the loss of the importance-weighted bound.",
        (
            Change(
                importance,
                NORMALIZED,
                "return np.full_like(w, grad_bound / w.shape[1])",
            ),
        ),
        ALL_GRADIENTS,
        samples=3,
    ),
    DeliberateError(
        "weights that carry gradient",
        "The sum of normalized weights times log-weights has the right gradient if the weights are "
        "constants. Differentiated as well, they add one that does not belong there.",
        (
            Change(
                importance,
                NORMALIZED,
                "w /= np.sum(w, axis=1, keepdims=True)\n"
                "mean = np.sum(w * log_w, axis=1, keepdims=True)\n"
                "return grad_bound * w * (1 + log_w - mean)",
            ),
        ),
        ALL_GRADIENTS,
        public=True,
        samples=3,
    ),
    DeliberateError(
        "weights normalized over the images",
        "The samples of one image compete with each other, and with no other image's.",
        (Change(importance, "np.sum(w, axis=1,", "np.sum(w, axis=0,"),),
        ALL_GRADIENTS,
        samples=3,
    ),
    DeliberateError(
        "K in the wrong place",
        "The log-weights are grouped as if the first B rows were the first samples of all images.",
        (
            Change(
                IWAE,
                "self._log_w = log_weights(reconstruction, z, log_var, eps)",
                "self._log_w = log_weights(reconstruction, z, log_var, eps)\n"
                "self._log_w = self._log_w.ravel().reshape(self.samples, -1).T",
            ),
        ),
        ("total", *ALL_GRADIENTS),
        samples=3,
    ),
    DeliberateError(
        "the prior's path into z forgotten",
        "log p(z) pulls every z towards 0, beside what the decoder says to it.",
        (Change(IWAE, "grad_z += direct_z", ""),),
        ("z", *ENCODER),
        samples=3,
    ),
    DeliberateError(
        "log q's path into log_var forgotten",
        "Its -1/2 is what keeps the variances up.",
        (Change(IWAE, 'grad["log_var"] += direct_log_var', ""),),
        LOG_VAR_PATH,
        samples=3,
    ),
    DeliberateError(
        "log q's path into log_var once per sample",
        "The weights of an image's samples add up to 1, so all its samples together give -1/2.",
        (Change(importance, "0.5 * np.sum(", "0.5 * z.shape[1] * np.sum("),),
        LOG_VAR_PATH,
        samples=3,
    ),
    DeliberateError(
        "log q's path into mean without the one through z",
        "log q depends on mean directly and through z, and the two cancel. Half of that is worse "
        "than nothing.",
        (
            Change(
                IWAE,
                "direct_mean = 0.0",
                "direct_mean = -np.sum(\n"
                "    grad_log_w[:, :, None] * eps / np.exp(0.5 * log_var[:, None]), axis=1\n)",
            ),
        ),
        MEAN_PATH,
        samples=3,
    ),
    DeliberateError(
        "the weights only once in dreg",
        "The sum of w̃ times the path through z is right for the ELBO, where w̃ is constant. Here z "
        "moves the weights, too: that makes it w̃².",
        (Change(IWAE, "again = -grad_log_w[:, :, None]", "again = 1.0"),),
        ("z", *ENCODER),
        samples=3,
        bound="dreg",
    ),
    DeliberateError(
        "log q's direct path into log_var kept in dreg",
        "On average it is 0 with the weights held still; what it adds is in w̃² already.",
        (
            Change(
                IWAE,
                "grad_reconstruction, direct_z, _ = log_weights_backward(grad_log_w, z, log_var)",
                "grad_reconstruction, direct_z, kept = log_weights_backward(\n"
                "    grad_log_w, z, log_var\n)",
            ),
            Change(
                IWAE,
                "direct_mean = direct_log_var = 0.0",
                "direct_mean, direct_log_var = 0.0, kept",
            ),
        ),
        LOG_VAR_PATH,
        samples=3,
        bound="dreg",
    ),
    DeliberateError(
        "log q's path through z forgotten in dreg",
        "Its direct paths are gone, so nothing cancels this one.",
        (
            Change(
                IWAE,
                "direct_z += grad_log_w[:, :, None] * (eps * np.exp(-0.5 * log_var)[:, None])",
                "",
            ),
        ),
        ("z", *ENCODER),
        samples=3,
        bound="dreg",
    ),
    DeliberateError(
        "the weights twice in the decoder, too",
        "Only the encoder's gradient has a second form; the decoder's is that of the bound.",
        (
            Change(
                IWAE,
                'grad_per_sample["logits"] *= grad_reconstruction[:, :, None]',
                'grad_per_sample["logits"] *= grad_reconstruction[:, :, None] ** 2',
            ),
        ),
        ALL_GRADIENTS,
        samples=3,
        bound="dreg",
    ),
)
