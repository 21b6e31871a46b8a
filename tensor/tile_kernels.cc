#include "tensor/tile_kernels.h"

#if defined(__AVX512F__)

#include "tensor/vectors.h"

namespace cotangent::tensor::tile_kernels {
namespace {

constexpr int64_t kPairs = kStep / 2;  // in a step
constexpr int64_t kTileFloats = kTileBytes / 4;
static_assert(kGroup == kLanes && kPairs == kLanes);

// Returns in each lane i the pair of the bf16 numbers with index i (from 0) at `first`, in the
// lower half of the lane, and at `second`. Lanes that are not in `lanes` are 0.
template <typename Lanes>
inline __attribute__((always_inline)) Vector LoadPairs(const char* first, const char* second,
                                                       Lanes lanes) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(MaskOf(lanes), first)),
                high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(MaskOf(lanes), second));
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

template <bool kLeft>
void Pack(const Rows& all, char* to) {
  for (int64_t step = 0; step < all.steps; ++step) {
    const char* const* const rows = all.rows + step * kStep;
    ForEachVector(
        all.columns, [&](int64_t column, auto lanes) __attribute__((always_inline)) {
          Vector pairs[kPairs], columns[kLanes];
#pragma GCC unroll 16
          for (int k = 0; k < kPairs; ++k)
            pairs[k] = LoadPairs(rows[2 * k] + 2 * column, rows[2 * k + 1] + 2 * column, lanes);
          if constexpr (kLeft) Transpose(pairs, columns);
          float* const tile =
              reinterpret_cast<float*>(to) + (column / kGroup * all.steps + step) * kTileFloats;
#pragma GCC unroll 16
          for (int r = 0; r < kLanes; ++r) Store(tile + r * kLanes, kLeft ? columns[r] : pairs[r]);
        });
  }
}

// One instruction of AMX multiplies two tile registers and adds the result to a third. Registers 0
// to 3 hold sums; 4 and 5 come from the left side, 6 and 7 from the right side.

#define COTANGENT_AMX __attribute__((target("amx-tile,amx-bf16")))

// What the instruction that configures tiles reads: the rows, and the bytes of a row, of each tile
// (Intel's manual, volume 1, chapter 18).
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);
constexpr TileConfiguration kFullTiles;

// Multiplies one or two groups of rows (kGroup rows each) of the left side by one or two groups of
// columns of the right side.
template <bool kTwoLeft, bool kTwoRight>
COTANGENT_AMX void MultiplyTiles(const Product& p, int64_t left_group, int64_t right_group) {
  const int64_t right_bytes = p.steps * kTileBytes, c_row = p.c_row * 4;
  const char* const first = p.left + left_group * p.left_group;
  const char* right = p.right + right_group * right_bytes;
  float* const c = p.c + left_group * kGroup * p.c_row + right_group * kGroup;
  float* const c_below = c + kGroup * p.c_row;
  if (p.accumulate) {
    _tile_loadd(0, c, c_row);
    if constexpr (kTwoRight) _tile_loadd(1, c + kGroup, c_row);
    if constexpr (kTwoLeft) _tile_loadd(2, c_below, c_row);
    if constexpr (kTwoLeft && kTwoRight) _tile_loadd(3, c_below + kGroup, c_row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < p.steps; ++step, right += kTileBytes) {
    const char* const left = first + p.left_steps[step];
    _tile_loadd(4, left, p.left_row);
    _tile_loadd(6, right, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoRight) {
      _tile_loadd(7, right + right_bytes, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoLeft) {
      _tile_loadd(5, left + p.left_group, p.left_row);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kTwoRight) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_row);
  if constexpr (kTwoRight) _tile_stored(1, c + kGroup, c_row);
  if constexpr (kTwoLeft) _tile_stored(2, c_below, c_row);
  if constexpr (kTwoLeft && kTwoRight) _tile_stored(3, c_below + kGroup, c_row);
}

COTANGENT_AMX void MultiplyByTiles(const Product& p) {
  // oneDNN may have configured the tiles for itself: its configuration is restored below.
  TileConfiguration before;
  _tile_storeconfig(&before);
  _tile_loadconfig(&kFullTiles);
  for (int64_t right = 0; right < p.right_groups; right += 2) {
    const bool two_right = right + 1 < p.right_groups;
    for (int64_t left = 0; left < p.left_groups; left += 2) {
      if (left + 1 < p.left_groups) {
        two_right ? MultiplyTiles<true, true>(p, left, right)
                  : MultiplyTiles<true, false>(p, left, right);
      } else {
        two_right ? MultiplyTiles<false, true>(p, left, right)
                  : MultiplyTiles<false, false>(p, left, right);
      }
    }
  }
  before.palette == 0 ? _tile_release() : _tile_loadconfig(&before);
}

}  // namespace

const Kernels kAmx = {.pack_left = Pack</*kLeft=*/true>,
                      .pack_right = Pack</*kLeft=*/false>,
                      .multiply = MultiplyByTiles};

}  // namespace cotangent::tensor::tile_kernels

#endif
