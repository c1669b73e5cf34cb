"""scikit-learn's and imbalanced-learn's own checks, for the sampler with every generator."""

from imblearn.utils.estimator_checks import parametrize_with_checks as imblearn_checks
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks as sklearn_checks

from makeweight import ResampledClassifier, SyntheticOverSampler
from makeweight.generators.registry import names

SAMPLERS = [SyntheticOverSampler(generator=name, random_state=0) for name in names("instant")]


@sklearn_checks(SAMPLERS)
def test_scikit_learn(estimator, check):
    check(estimator)


@imblearn_checks(SAMPLERS)
def test_imbalanced_learn(estimator, check):
    check(estimator)


@sklearn_checks([ResampledClassifier(SyntheticOverSampler("smoothed-bootstrap", random_state=0), LogisticRegression())])
def test_a_classifier_on_resampled_rows(estimator, check):
    check(estimator)
