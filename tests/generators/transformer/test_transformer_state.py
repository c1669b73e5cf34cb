"""The pretraining state in the repository is small, and a run resumes from it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from makeweight.generators.transformer.config import CONFIGS
from makeweight.generators.transformer.pretrain import Trainer

STATE = Path(__file__).resolve().parents[3] / "pretraining" / "checkpoint.pt"


@pytest.mark.skipif(not STATE.exists(), reason="the source distribution leaves the state out")
def test_a_run_resumes_from_the_state_in_the_repository(tmp_path):
    assert STATE.stat().st_size <= 4_000_000
    run = Trainer(CONFIGS["tiny"], tmp_path, torch.device("cpu"), seconds=1e9)
    run.resume(STATE)
    step, weights = run.step, [parameter.detach().clone() for parameter in run.model.parameters()]
    assert step > 0
    for mean, weight in zip(run.averaged.module.parameters(), weights, strict=True):
        assert torch.equal(mean, weight)
    for optimiser in run.optimisers:
        moments = [value for own in optimiser.state.values() for value in own.values()]
        assert {moment.dtype for moment in moments} == {torch.float32}
        assert any(bool(moment.any()) for moment in moments)
    loss = run.train_step()
    assert loss is not None
    assert math.isfinite(loss.item())
    assert run.step == step + 1
    assert not all(torch.equal(a, b) for a, b in zip(run.model.parameters(), weights, strict=True))
