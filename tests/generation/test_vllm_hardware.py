"""What a machine says about itself, read from samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.vllm import cpu_has_bfloat16, free_memory_share

SAPPHIRE_RAPIDS = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu vme sse avx2 avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile
bugs\t\t: spectre_v1
"""
SKYLAKE = SAPPHIRE_RAPIDS.replace("avx512_bf16 amx_bf16 ", "")
GRAVITON_3 = """\
processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd evtstrm aes sve i8mm bf16 dgh rng
CPU implementer\t: 0x41
"""


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        (SAPPHIRE_RAPIDS, True),
        (SKYLAKE, False),
        (GRAVITON_3, True),
        (GRAVITON_3.replace(" bf16", ""), False),
        (GRAVITON_3.replace(" bf16", " ebf16x"), False),
        ("model name\t: bf16 in the name only\n", False),
        ("", False),
    ],
    ids=["Intel with", "Intel without", "Arm with", "Arm without", "Arm with a longer flag", "name only", "empty"],
)
def test_bfloat16_is_read_from_the_flags(cpuinfo: str, has: bool) -> None:
    assert cpu_has_bfloat16(cpuinfo) is has


def test_this_machine_answers_too() -> None:
    assert cpu_has_bfloat16() in (True, False)


GIB = 2**30


@pytest.mark.parametrize(
    ("free", "total", "share"),
    [
        (80 * GIB, 80 * GIB, 0.92),
        (40 * GIB, 80 * GIB, 0.494),
        (GIB, 8 * GIB, 0.062),
        (GIB // 4, 8 * GIB, 0.0),
        (0, GIB, 0.0),
    ],
)
def test_the_memory_share_by_hand(free: int, total: int, share: float) -> None:
    assert free_memory_share(free, total) == pytest.approx(share, abs=1e-3)


@given(st.integers(GIB, 200 * GIB).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_memory_share_is_never_more_than_what_is_free(memory: tuple[int, int]) -> None:
    free, total = memory
    share = free_memory_share(free, total)
    assert 0.0 <= share <= 0.92
    assert share * total <= free + total * 0.001
