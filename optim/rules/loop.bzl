"""How sources with loops of loop.h are compiled."""

# Without contraction to fused multiply-adds every instruction set computes the same bits.
LOOP_COPTS = [
    "-O3",
    "-ffp-contract=off",
    "-fopenmp-simd",
]
