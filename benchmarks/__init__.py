"""Benchmarks: every path beside its limit, measured in the same run.

    python -m benchmarks [NAME…] [--json FILE] [--quick] [--profile]
    python -m benchmarks recording TRACE --ladder a,b,c --bar -0.1

What each of them says is told in ``README.md``.
"""
