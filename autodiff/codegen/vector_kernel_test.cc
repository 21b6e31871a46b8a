// Compares compiled kernels with the interpreter: random programs over every element type, rows of
// many lengths, and every instruction set that this machine has. Arrays lie between canaries (bytes
// that must not change) and unreadable pages.

#include "autodiff/codegen/vector_kernel.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "autodiff/codegen/vector_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::codegen {
namespace {

constexpr ElementType kTypes[] = {ElementType::kF32, ElementType::kBf16, ElementType::kU8,
                                  ElementType::kS32, ElementType::kS8};

// An array that ends where an unreadable page begins. A band of canary bytes lies before its start.
class GuardedArray {
 public:
  explicit GuardedArray(size_t size) : size_(size) {
    const size_t page = sysconf(_SC_PAGESIZE);
    mapped_ = (size + kBand + page - 1) / page * page;
    base_ = static_cast<char*>(
        mmap(nullptr, mapped_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + mapped_, page, PROT_NONE);
    mapped_ += page;
    data_ = base_ + mapped_ - page - size;
    std::memset(base_, 0x5a, mapped_ - page);
  }
  ~GuardedArray() { munmap(base_, mapped_); }
  GuardedArray(const GuardedArray&) = delete;

  char* data() { return data_; }
  size_t size() const { return size_; }
  bool BandIntact() const {
    for (const char* p = data_ - kBand; p < data_; ++p) {
      if (*p != 0x5a) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kBand = 256;
  size_t size_, mapped_;
  char* base_;
  char* data_;
};

// Arrays for a call of a program. `gap` bytes lie between the end of a row and the next row.
struct Fixture {
  Fixture(const VectorProgram& program, int columns, int64_t rows, int gap, std::mt19937& random)
      : columns(columns), rows(rows) {
    const int64_t length = columns == 0 ? rows : columns;
    const int64_t count = columns == 0 ? 1 : rows;
    std::normal_distribution<float> normal;
    const auto array = [&](ElementType type, std::vector<int64_t>& strides) {
      const int64_t row = length * Bytes(type);
      strides.push_back(row + gap);
      return std::make_unique<GuardedArray>(std::max<int64_t>(0, (count - 1) * (row + gap) + row));
    };
    for (const ElementType type : program.loads()) {
      loads.push_back(array(type, load_strides));
      GuardedArray& to = *loads.back();
      for (size_t at = 0; at + Bytes(type) <= to.size(); at += Bytes(type)) {
        const float x = 2 * normal(random);
        const uint16_t bf16 = std::bit_cast<uint32_t>(x) >> 16;
        const int32_t s32 = static_cast<int32_t>(x * 10);
        const uint8_t u8 = static_cast<uint8_t>(s32);
        const void* from = type == ElementType::kF32    ? static_cast<const void*>(&x)
                           : type == ElementType::kBf16 ? static_cast<const void*>(&bf16)
                           : type == ElementType::kS32  ? static_cast<const void*>(&s32)
                                                        : &u8;
        std::memcpy(to.data() + at, from, Bytes(type));
      }
    }
    for (const auto& output : program.outputs())
      stores.push_back(array(output.type, store_strides));
    for (int i = 0; i < program.num_channels(); ++i) {
      channels.push_back(std::make_unique<GuardedArray>(columns * sizeof(float)));
      for (int j = 0; j < columns; ++j) {
        const float x = normal(random);
        std::memcpy(channels.back()->data() + 4 * j, &x, 4);
      }
    }
    for (int i = 0; i < program.num_scalars(); ++i) scalars.push_back(normal(random));
    for (size_t i = 0; i < program.sums().size(); ++i) {
      sums.push_back(std::make_unique<GuardedArray>(std::max(columns, 1) * sizeof(float)));
    }
  }

  void Run(const VectorKernel& kernel) {
    std::vector<const void*> load_pointers;
    std::vector<void*> store_pointers;
    std::vector<const float*> channel_pointers;
    std::vector<float*> sum_pointers;
    for (auto& a : loads) load_pointers.push_back(a->data());
    for (auto& a : stores) {
      std::memset(a->data(), 0x33, a->size());
      store_pointers.push_back(a->data());
    }
    for (auto& a : channels) channel_pointers.push_back(reinterpret_cast<float*>(a->data()));
    for (auto& a : sums) {
      std::memset(a->data(), 0, a->size());
      sum_pointers.push_back(reinterpret_cast<float*>(a->data()));
    }
    kernel({.rows = rows,
            .loads = load_pointers.data(),
            .load_strides = load_strides.data(),
            .channels = channel_pointers.data(),
            .scalars = scalars.data(),
            .stores = store_pointers.data(),
            .store_strides = store_strides.data(),
            .sums = sum_pointers.data(),
            .load_aheads = aheads.data(),
            .store_aheads = aheads.data()});
    for (auto& a : stores) EXPECT_TRUE(a->BandIntact());
    for (auto& a : sums) EXPECT_TRUE(a->BandIntact());
  }

  std::vector<std::string> Results() const {
    std::vector<std::string> results;
    for (auto& a : stores) results.emplace_back(a->data(), a->size());
    return results;
  }
  std::vector<std::vector<float>> Sums() const {
    std::vector<std::vector<float>> results;
    for (auto& a : sums) {
      std::vector<float>& sum = results.emplace_back(a->size() / sizeof(float));
      std::memcpy(sum.data(), a->data(), a->size());
    }
    return results;
  }

  int columns;
  int64_t rows;
  std::vector<std::unique_ptr<GuardedArray>> loads, stores, channels, sums;
  std::vector<int64_t> load_strides, store_strides;
  // The distances, in bytes, at which the kernel prefetches. They lead to memory that may not be
  // readable, which a prefetch must tolerate.
  std::vector<int64_t> aheads = std::vector<int64_t>(256, int64_t{1} << 20);
  std::vector<float> scalars;
};

// Returns a random program of operations that keep values moderate, so that rounding errors stay
// moderate too.
VectorProgram RandomProgram(std::mt19937& random, bool flat) {
  VectorProgram p;
  const auto pick = [&](int n) { return static_cast<int>(random() % n); };
  std::vector<Value> values;
  const int loads = 1 + pick(4);
  for (int i = 0; i < loads; ++i) {
    Value x = p.Load(kTypes[pick(5)]);
    values.push_back(p.Mul(x, p.Constant(0.25f)));
  }
  for (int i = flat ? 0 : pick(4); i > 0; --i) values.push_back(p.LoadChannel());
  for (int i = pick(3); i > 0; --i) values.push_back(p.LoadScalar());
  std::vector<Value> masks;
  const auto any = [&] {
    return pick(5) == 0 ? p.Constant(pick(7) * 0.5f - 1) : values[pick(values.size())];
  };
  const auto bounded = [&](Value v) { return p.Max(p.Constant(-3), p.Min(p.Constant(3), v)); };
  masks.push_back(p.Less(values[0], p.Constant(0.3f)));
  for (int i = 4 + pick(30); i > 0; --i) {
    const Value a = any(), b = any(), c = any();
    Value v = a;
    switch (pick(22)) {
      case 0:
        v = p.Add(a, b);
        break;
      case 1:
        v = p.Sub(a, b);
        break;
      case 2:
        v = bounded(p.Mul(a, b));
        break;
      case 3:
        v = p.Div(a, p.Add(p.Constant(1.5f), p.Abs(b)));
        break;
      case 4:
        v = bounded(p.Fma(a, b, c));
        break;
      case 5:
        v = p.Neg(a);
        break;
      case 6:
        v = p.Abs(a);
        break;
      case 7:
        v = p.Min(a, b);
        break;
      case 8:
        v = p.Max(a, b);
        break;
      case 9:
        v = p.Sqrt(p.Abs(a));
        break;
      case 10:
        v = p.Exp(bounded(a));
        break;
      case 11:
        v = p.Log(p.Add(p.Abs(a), p.Constant(1)));
        break;
      case 12:
        v = p.Sin(a);
        break;
      case 13:
        v = p.Tanh(a);
        break;
      case 14:
        v = p.Sigmoid(a);
        break;
      case 15:
        v = p.Erf(a);
        break;
      case 16:
        masks.push_back(p.Less(a, b));
        break;
      case 17:
        masks.push_back(p.LessEqual(a, p.Constant(0.7f)));
        break;
      case 18:
        masks.push_back(p.Or(masks[pick(masks.size())], p.Not(masks[pick(masks.size())])));
        break;
      case 19:
        masks.push_back(p.And(masks[pick(masks.size())], p.Less(p.Constant(0.1f), b)));
        break;
      case 20:
        v = p.Select(masks[pick(masks.size())], a, b);
        break;
      case 21:
        v = p.Select(masks[pick(masks.size())], a, p.Constant(0));
        break;
    }
    values.push_back(bounded(v));
  }
  for (int i = 1 + pick(4); i > 0; --i) {
    const ElementType type = kTypes[pick(5)];
    Value v = values[values.size() - 1 - pick(std::min<int>(values.size(), 6))];
    if (pick(3) == 0) v = p.Mul(v, p.Constant(40));
    p.Store(v, type, pick(2) ? StoreHint::kCached : StoreHint::kStreaming);
  }
  for (int i = pick(4); i > 0; --i) p.Sum(values[values.size() - 1 - pick(3)]);
  return p;
}

// Returns whether two elements agree within a tolerance for their type. Comparisons close to a
// threshold may go either way, so the tests allow a few elements that do not agree.
bool Near(ElementType type, const char* a, const char* b) {
  float x = 0, y = 0;
  switch (type) {
    case ElementType::kF32:
      std::memcpy(&x, a, 4), std::memcpy(&y, b, 4);
      return std::fabs(x - y) <= 1e-4f * (1 + std::fabs(x)) || (std::isnan(x) && std::isnan(y));
    case ElementType::kBf16: {
      uint16_t u, v;
      std::memcpy(&u, a, 2), std::memcpy(&v, b, 2);
      x = std::bit_cast<float>(uint32_t{u} << 16), y = std::bit_cast<float>(uint32_t{v} << 16);
      return std::fabs(x - y) <= 1e-2f * (1e-3f + std::fabs(x));
    }
    case ElementType::kU8:
      return std::abs(static_cast<uint8_t>(*a) - static_cast<uint8_t>(*b)) <= 1;
    case ElementType::kS8:
      return std::abs(static_cast<int8_t>(*a) - static_cast<int8_t>(*b)) <= 1;
    case ElementType::kS32: {
      int32_t u, v;
      std::memcpy(&u, a, 4), std::memcpy(&v, b, 4);
      return std::abs(int64_t{u} - v) <= 1;
    }
    case ElementType::kF64:
      return false;  // kernels do not support it
  }
  return false;
}

void ExpectAgreement(const VectorProgram& program, InstructionSet isa, int columns, int64_t rows,
                     int gap, std::mt19937& random) {
  auto kernel = VectorKernel::Compile(program, {.isa = isa, .columns = columns});
  auto oracle =
      VectorKernel::Compile(program, {.isa = InstructionSet::kPortable, .columns = columns});
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  ASSERT_TRUE(oracle.ok()) << oracle.status();
  SCOPED_TRACE((*kernel)->Describe());
  Fixture fixture(program, columns, rows, gap, random);
  fixture.Run(**oracle);
  const auto want = fixture.Results();
  const auto want_sums = fixture.Sums();
  fixture.Run(**kernel);
  const auto found = fixture.Results();
  const auto found_sums = fixture.Sums();
  const int64_t length = columns == 0 ? rows : columns;
  const int64_t count = columns == 0 ? 1 : rows;
  for (size_t i = 0; i < want.size(); ++i) {
    const ElementType type = program.outputs()[i].type;
    int64_t wrong = 0;
    for (int64_t row = 0; row < count; ++row) {
      const int64_t start = row * fixture.store_strides[i];
      for (int64_t column = 0; column < length; ++column) {
        const int64_t at = start + column * Bytes(type);
        wrong += !Near(type, &want[i][at], &found[i][at]);
      }
      const int64_t end = start + length * Bytes(type);
      const int64_t next = std::min<int64_t>(end + gap, want[i].size());
      for (int64_t at = end; at < next; ++at) ASSERT_EQ(found[i][at], 0x33) << "wrote between rows";
    }
    EXPECT_LE(wrong, 2 + count * length / 200) << "output " << i << "\n" << program.DebugString();
  }
  for (size_t i = 0; i < want_sums.size(); ++i) {
    for (size_t j = 0; j < want_sums[i].size(); ++j) {
      EXPECT_NEAR(found_sums[i][j], want_sums[i][j], 0.05 + 2e-3 * rows)
          << "sum " << i << " column " << j << "\n"
          << program.DebugString();
    }
  }
}

class Kernels : public testing::TestWithParam<InstructionSet> {};

TEST_P(Kernels, RandomProgramsOverRows) {
  for (const int columns : {1, 3, 8, 15, 16, 17, 24, 32, 64, 100, 256}) {
    for (int round = 0; round < 24; ++round) {
      std::mt19937 random(columns * 1000 + round);
      SCOPED_TRACE(testing::Message() << columns << " columns, seed " << columns * 1000 + round);
      const VectorProgram program = RandomProgram(random, /*flat=*/false);
      const int64_t rows = std::vector<int64_t>{1, 2, 5, 37, 70}[round % 5];
      const int gap = std::vector<int>{0, 4, 64, 12}[round % 4];
      ExpectAgreement(program, GetParam(), columns, rows, gap, random);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST_P(Kernels, RandomProgramsOverFlatArrays) {
  for (const int length : {0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 130, 1000}) {
    for (int round = 0; round < 12; ++round) {
      std::mt19937 random(length * 1000 + round);
      SCOPED_TRACE(testing::Message() << length << " elements, seed " << length * 1000 + round);
      ExpectAgreement(RandomProgram(random, /*flat=*/true), GetParam(), 0, length, 0, random);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

// Forty values, and as many masks (results of comparisons), stay alive until all are added up, the
// first one last. They do not all fit into registers.
TEST_P(Kernels, SpillsRegistersAndMasks) {
  for (const int columns : {0, 16, 40}) {
    VectorProgram p;
    std::vector<Value> values, masks;
    const Value x = p.Load(ElementType::kF32);
    for (int i = 0; i < 40; ++i) {
      values.push_back(p.Sqrt(p.Abs(p.Add(x, p.Constant(i * 0.1f)))));
      masks.push_back(p.Less(values.back(), p.Constant(i * 0.05f)));
    }
    Value total = p.Constant(0);
    for (int i = 0; i < 40; ++i) total = p.Add(p.Sin(values[i]), total);
    for (int i = 39; i >= 0; --i) total = p.Select(masks[i], p.Add(total, values[i]), total);
    for (int i = 0; i < 20; ++i) p.Sum(p.Sub(total, values[i]));
    p.Store(total, ElementType::kF32);
    std::mt19937 random(columns);
    ExpectAgreement(p, GetParam(), columns, 50, 0, random);
  }
}

TEST_P(Kernels, MoreArraysThanAddressRegisters) {
  for (const int columns : {0, 16, 100}) {
    VectorProgram p;
    Value total = p.Constant(0);
    for (int i = 0; i < 14; ++i) {
      const Value x = p.Load(kTypes[i % 5]);
      total = p.Add(total, columns == 0 ? x : p.Mul(x, p.LoadChannel()));
      if (i % 2) p.Store(total, kTypes[i % 3]);
    }
    std::mt19937 random(columns);
    ExpectAgreement(p, GetParam(), columns, 21, 0, random);
  }
}

// The first program max-pools, 2 x 2, an image of 4 x 6 pixels with 20 channels. It stores the
// position of each maximum in a byte. The second program writes each output back to the position of
// its maximum, and zeros to the others.
TEST_P(Kernels, PoolsAndUnpools) {
  constexpr int kChannels = 20, kHeight = 4, kWidth = 6;
  VectorProgram pool;
  Value best = pool.Load(ElementType::kF32), where = pool.Constant(0);
  for (int i = 1; i < 4; ++i) {
    const Value x = pool.Load(ElementType::kF32);
    where = pool.Select(pool.Less(best, x), pool.Constant(i), where);
    best = pool.Max(x, best);
  }
  pool.Store(best, ElementType::kF32);
  pool.Store(where, ElementType::kU8);
  VectorProgram unpool;
  const Value gradient = unpool.Load(ElementType::kF32);
  const Value position = unpool.Load(ElementType::kU8);
  for (int i = 0; i < 4; ++i) {
    unpool.Store(
        unpool.Select(unpool.Equal(position, unpool.Constant(i)), gradient, unpool.Constant(0)),
        ElementType::kF32);
  }
  auto forward = VectorKernel::Compile(pool, {.isa = GetParam(), .columns = kChannels});
  auto backward = VectorKernel::Compile(unpool, {.isa = GetParam(), .columns = kChannels});
  ASSERT_TRUE(forward.ok() && backward.ok());

  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> image(kHeight * kWidth * kChannels), back(image.size(), -1);
  for (float& x : image) x = normal(random);
  std::vector<float> pooled(image.size() / 4);
  std::vector<uint8_t> positions(pooled.size());
  constexpr int64_t kPixel = kChannels * sizeof(float);
  for (int y = 0; y < kHeight / 2; ++y) {
    const auto at = [&](std::vector<float>& v, int i) {
      return v.data() + ((2 * y + i / 2) * kWidth + i % 2) * kChannels;
    };
    float* out = pooled.data() + y * (kWidth / 2) * kChannels;
    uint8_t* out_position = positions.data() + y * (kWidth / 2) * kChannels;
    const void* loads[] = {at(image, 0), at(image, 1), at(image, 2), at(image, 3)};
    const int64_t doubled[] = {2 * kPixel, 2 * kPixel, 2 * kPixel, 2 * kPixel};
    const int64_t pooled_strides[] = {kPixel, kChannels};
    void* stores[] = {out, out_position};
    (**forward)({.rows = kWidth / 2,
                 .loads = loads,
                 .load_strides = doubled,
                 .stores = stores,
                 .store_strides = pooled_strides});
    const void* back_loads[] = {out, out_position};
    void* back_stores[] = {at(back, 0), at(back, 1), at(back, 2), at(back, 3)};
    (**backward)({.rows = kWidth / 2,
                  .loads = back_loads,
                  .load_strides = pooled_strides,
                  .stores = back_stores,
                  .store_strides = doubled});
  }
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < kChannels; ++c) {
        const int at = (y * kWidth + x) * kChannels + c;
        const float greatest = pooled[((y / 2) * (kWidth / 2) + x / 2) * kChannels + c];
        EXPECT_EQ(back[at], image[at] == greatest ? greatest : 0);
      }
    }
  }
}

TEST_P(Kernels, WorksInPlace) {
  VectorProgram p;
  const Value x = p.Load(ElementType::kF32), y = p.Load(ElementType::kF32);
  p.Store(p.Add(x, y), ElementType::kF32);
  p.Store(p.Sub(x, y), ElementType::kF32);
  auto kernel = VectorKernel::Compile(p, {.isa = GetParam()});
  ASSERT_TRUE(kernel.ok());
  std::vector<float> a, b;
  for (int i = 0; i < 100; ++i) a.push_back(i), b.push_back(2 * i + 1);
  const void* loads[] = {a.data(), b.data()};
  void* stores[] = {a.data(), b.data()};
  (**kernel)({.rows = 100, .loads = loads, .stores = stores});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(a[i], 3 * i + 1);
    EXPECT_EQ(b[i], -i - 1);
  }
}

// The result of Min and Max is the second operand if either operand is NaN or both are equal
// (vector_program.h).
TEST_P(Kernels, MinAndMaxOfNaN) {
  VectorProgram p;
  const Value a = p.Load(ElementType::kF32), b = p.Load(ElementType::kF32);
  p.Store(p.Min(a, b), ElementType::kF32);
  p.Store(p.Max(a, b), ElementType::kF32);
  p.Store(p.Min(p.Constant(2), b), ElementType::kF32);
  p.Store(p.Max(a, p.Constant(2)), ElementType::kF32);
  auto kernel = VectorKernel::Compile(p, {.isa = GetParam()});
  ASSERT_TRUE(kernel.ok());
  const float nan = std::nanf("");
  // There are more elements than a vector has, so that both whole vectors and the rest of the row
  // are tested.
  std::vector<float> left, right;
  for (int i = 0; i < 19; ++i) {
    for (const auto& [x, y] : {std::pair(nan, 1.0f), {1.0f, nan}, {0.0f, -0.0f}, {-0.0f, 0.0f}}) {
      left.push_back(x);
      right.push_back(y);
    }
  }
  const size_t n = left.size();
  std::vector<float> results[4];
  const void* loads[] = {left.data(), right.data()};
  void* stores[4];
  for (int k = 0; k < 4; ++k) {
    results[k].resize(n);
    stores[k] = results[k].data();
  }
  (**kernel)({.rows = static_cast<int64_t>(n), .loads = loads, .stores = stores});
  const auto same = [](float x, float y) {
    return (std::isnan(x) && std::isnan(y)) || (x == y && std::signbit(x) == std::signbit(y));
  };
  for (size_t i = 0; i < n; ++i) {
    EXPECT_PRED2(same, results[0][i], right[i]) << "min of " << left[i] << ", " << right[i];
    EXPECT_PRED2(same, results[1][i], right[i]) << "max of " << left[i] << ", " << right[i];
    EXPECT_PRED2(same, results[2][i], 2 < right[i] ? 2 : right[i]) << "min of 2, " << right[i];
    EXPECT_PRED2(same, results[3][i], left[i] > 2 ? left[i] : 2) << "max of " << left[i] << ", 2";
  }
}

TEST_P(Kernels, RoundsWhenItStores) {
  VectorProgram p;
  const Value x = p.Load(ElementType::kF32);
  p.Store(x, ElementType::kU8);
  p.Store(x, ElementType::kS32);
  p.Store(x, ElementType::kBf16);
  p.Store(x, ElementType::kS8);
  auto kernel = VectorKernel::Compile(p, {.isa = GetParam()});
  ASSERT_TRUE(kernel.ok());
  const float nan = std::nanf("");
  const std::vector<float> from = {0.5f, 1.5f, 254.5f, 255.5f, 1e10f, -1, -1e10f, nan, 2.5f, 0};
  const int n = from.size();
  std::vector<uint8_t> u8(n);
  std::vector<int32_t> s32(n);
  std::vector<uint16_t> bf16(n);
  std::vector<int8_t> s8(n);
  const void* load = from.data();
  void* stores[] = {u8.data(), s32.data(), bf16.data(), s8.data()};
  (**kernel)({.rows = n, .loads = &load, .stores = stores});
  EXPECT_THAT(u8, testing::ElementsAre(0, 2, 254, 255, 255, 0, 0, 0, 2, 0));
  EXPECT_THAT(s8, testing::ElementsAre(0, 2, 127, 127, 127, -1, -128, -128, 2, 0));
  constexpr int32_t kLowest = std::numeric_limits<int32_t>::min();
  EXPECT_THAT(s32, testing::ElementsAre(0, 2, 254, 256, kLowest, -1, kLowest, kLowest, 2, 0));
  // 254.5 = 0x437e8000 lies halfway between the bf16 numbers 0x437e and 0x437f and rounds to the
  // even one. 255.5 = 0x437f8000 rounds up to 256.
  EXPECT_THAT(bf16,
              testing::ElementsAre(0x3f00, 0x3fc0, 0x437e, 0x4380, 0x5015, 0xbf80, 0xd015,
                                   testing::Truly([](uint16_t x) { return (x & 0x7fff) > 0x7f80; }),
                                   0x4020, 0));
}

TEST(Kernel, RefusesWhatContradictsItself) {
  VectorProgram p;
  p.Store(p.LoadChannel(), ElementType::kF32);
  EXPECT_FALSE(VectorKernel::Compile(p, {.columns = 0}).ok());
  EXPECT_FALSE(VectorKernel::Compile(p, {.columns = -1}).ok());
  EXPECT_TRUE(VectorKernel::Compile(p, {.columns = 5}).ok());
}

INSTANTIATE_TEST_SUITE_P(All, Kernels, testing::ValuesIn(AvailableInstructionSets()),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace cotangent::autodiff::codegen
