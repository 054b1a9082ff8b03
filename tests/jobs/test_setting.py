"""What a job's configuration says of data that have to be looked at."""

from pathlib import Path

import numpy as np
import pytest

from pruneexp.data.dataset import FILES, Dataset, Sizes
from pruneexp.jobs.setting import Setting
from pruneexp.sweep import expand


def test_ones_own_data_are_looked_at_once_for_all_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(count: int) -> None:
        for name in FILES:
            images = np.arange(count * 64, dtype=np.uint8).reshape(count, 1, 8, 8)
            np.save(tmp_path / "mine" / f"{name}.npy", images if "images" in name else np.arange(count) % 2)

    dataset, looked = Setting.dataset, []

    def counted(setting: Setting) -> Dataset:
        looked.append(setting)
        return dataset(setting)

    monkeypatch.setattr(Setting, "dataset", counted)
    (tmp_path / "mine").mkdir()
    typed = ["dataset=arrays", f"dataset.root={tmp_path}/mine", "masker=greedy,sparsify", "scorer=snip,magnitude"]
    for folder, count, times in (("data", 6, 1), ("data", 6, 1), ("elsewhere", 6, 2), ("data", 8, 3)):
        write(count)
        jobs = expand([*typed, f"data_dir={tmp_path}/{folder}"]).jobs
        assert len({id(job.setting) for job in jobs}) == 4
        assert {job.setting.sizes for job in jobs} == {Sizes(2, (1, 8, 8), count)}
        assert len(looked) == times
