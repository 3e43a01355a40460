"""The middle distance of points: what numpy's median says, without what it loads."""

import subprocess
import sys

import numpy as np

from core.track import middle


def test_it_is_the_median():
    for distances in ([], [3.0], [1.0, 2.0], [5.0, 1.0, 1.0], [1.0, 9.0, 2.0, 4.0]):
        assert middle(np.array(distances)) == (float(np.median(distances)) if distances else 0.0)


def test_a_track_loads_no_masked_arrays():
    code = (
        "import sys, numpy as np; from core.track import Track; track = Track(['a'], limit=9); "
        "track.extend(np.arange(5.0), np.ones((1, 5))); sys.exit('numpy.ma' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
