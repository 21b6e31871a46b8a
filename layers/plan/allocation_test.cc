// Counts all memory allocations of the process while a network trains.
//
// Cotangent itself must allocate nothing while it trains. Two libraries allocate memory and cannot
// be kept from it: oneDNN's dnnl_primitive_execute copies its few arguments into a table, and
// OpenMP's runtime makes a record for each team of threads whose size differs from that of the last
// team. These allocations are counted separately, and each must be smaller than MostOfLibraries(),
// a page of memory if the processor has AVX2, so that no tensor can hide among them.

#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/cpu.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/plan_testing.h"
#include "layers/plan/tuner.h"
#include "optim/optimizer.h"

namespace {

constexpr size_t kPage = 4096;

// Returns the limit in bytes below which each allocation of a library must stay. oneDNN's matrix
// product for processors without AVX2 copies its factors into blocks that it allocates in each
// call: 100 KiB for the layers of this test.
size_t MostOfLibraries() { return cotangent::HasAvx2() ? kPage : 32 * kPage; }

std::atomic<bool> counting = false;
std::atomic<int> allocations = 0;  // by all code except the two libraries
std::atomic<size_t> largest_of_libraries = 0;

// Returns whether oneDNN or OpenMP requested an allocation, directly or through libstdc++. `frames`
// holds the `count` return addresses on the stack, the innermost first.
bool IsLibrary(void* const* frames, int count) {
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (dladdr(frames[i], &info) == 0 || info.dli_fname == nullptr) return false;
    if (std::strstr(info.dli_fname, "libdnnl") != nullptr ||
        std::strstr(info.dli_fname, "libgomp") != nullptr)
      return true;
    if (std::strstr(info.dli_fname, "libstdc++") == nullptr) return false;
  }
  return false;
}

// Records an allocation. Called by the functions below, each of which adds one stack frame.
[[gnu::noinline]] void Count(size_t size) {
  // Counting is off during backtrace(), which may allocate memory, too.
  if (!counting.exchange(false)) return;
  void* frames[6];
  const int count = backtrace(frames, 6);
  if (count > 2 && IsLibrary(frames + 2, count - 2)) {
    if (size > largest_of_libraries) largest_of_libraries = size;
  } else {
    ++allocations;
  }
  counting = true;
}

}  // namespace

// Replacements for functions of the C library, which the whole process uses; operator new calls
// malloc.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* pointer, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

[[gnu::noinline]] void* malloc(size_t size) {
  Count(size);
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  Count(count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* pointer, size_t size) {
  Count(size);
  return __libc_realloc(pointer, size);
}
void* memalign(size_t alignment, size_t size) {
  Count(size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  Count(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** pointer, size_t alignment, size_t size) {
  Count(size);
  *pointer = __libc_memalign(alignment, size);
  return *pointer == nullptr;
}
}

namespace cotangent::layers {
namespace {

// A network with many kinds of layers, among them layers that run by kernels of their own instead
// of in fused passes (layers/plan/fusion.h).
constexpr char kNetwork[] = R"(
name: "all"
input { channels: 3 height: 12 width: 12 }
layer { name: "conv1" convolution { channels: 16 kernel: 3 pad: 1 } }
layer { name: "bn1" batch_norm {} }
layer { name: "act1" activation { kind: GELU } }
layer { name: "conv2" convolution { channels: 16 kernel: 3 pad: 1 padding_mode: REFLECT } }
layer { name: "add" input: "conv2" input: "act1" add {} }
layer { name: "drop" dropout { rate: 0.2 } }
layer { name: "pool" max_pool { kernel: 2 } }
layer { name: "overlapping" max_pool { kernel: 3 stride: 1 pad: 1 } }
layer { name: "average" average_pool { kernel: 3 stride: 1 pad: 1 } }
layer { name: "concat" input: "overlapping" input: "average" concat {} }
layer { name: "ln" layer_norm {} }
layer { name: "global" global_average_pool {} }
layer { name: "fc" linear { features: 10 } }
loss { softmax_cross_entropy { label_smoothing: 0.1 } }
train { batch_size: 8 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

void ExpectNoAllocations(const char* text, int threads, ElementType precision) {
  SetThreads(threads);
  const absl::StatusOr<Network> network = ParseNetwork(text, "all.textproto");
  ASSERT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = 8});
  ASSERT_TRUE(built.ok()) << built.status();
  const std::vector<TensorId> parameters = built->graph.parameters();
  const absl::StatusOr<std::vector<TensorId>> gradients =
      Gradient(built->graph, built->loss, parameters);
  ASSERT_TRUE(gradients.ok()) << gradients.status();
  absl::StatusOr<std::unique_ptr<ParameterStore>> store = ParameterStore::Create(built->graph);
  ASSERT_TRUE(store.ok()) << store.status();
  std::vector<PlanResult> results = {{built->loss}};
  std::vector<optim::ParameterSlice> slices;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterStore::Slot& slot =
        *(*store)->FindParameter(built->graph.tensor(parameters[i]).name);
    results.push_back({(*gradients)[i], (*store)->gradients() + slot.offset});
    optim::ParameterSlice slice;
    slice.name = slot.name, slice.shape.assign(slot.shape.begin(), slot.shape.end()),
    slice.offset = slot.offset, slice.size = slot.size;
    slices.push_back(slice);
  }
  Tuner tuner(threads);
  absl::StatusOr<std::unique_ptr<Plan>> plan = Plan::Compile(
      built->graph, results, **store, tuner, {.precision = precision, .threads = threads});
  ASSERT_TRUE(plan.ok()) << plan.status();
  absl::StatusOr<std::unique_ptr<optim::Optimizer>> optimizer = optim::Optimizer::Create(
      network->train().optimizer(), slices, {.steps_per_epoch = 10, .total_steps = 10});
  ASSERT_TRUE(optimizer.ok()) << optimizer.status();
  SplitMix random(1);
  for (int64_t i = 0; i < (*store)->parameter_floats(); ++i)
    (*store)->values()[i] = static_cast<float>(0.1 * random.Uniform());
  float* images = static_cast<float*>((*plan)->input(built->images));
  for (int64_t i = 0; i < built->graph.shape(built->images).NumElements(); ++i)
    images[i] = static_cast<float>(random.Uniform());
  for (int i = 0; i < 8; ++i) static_cast<int32_t*>((*plan)->input(built->labels))[i] = i;
  (*optimizer)->Initialise((*store)->values());
  for (int64_t step = 0; step < 6; ++step) {
    counting = step >= 2;
    (*plan)->Run(step);
    const bool finite = (*optimizer)->Step((*store)->values(), (*store)->gradients(), step);
    counting = false;
    EXPECT_TRUE(finite);
  }
  EXPECT_EQ(allocations.exchange(0), 0);
  EXPECT_LT(largest_of_libraries.exchange(0), MostOfLibraries());
}

TEST(AllocationTest, CountsWhatTheProcessAllocates) {
  counting = true;
  std::vector<int>* something = new std::vector<int>(100);
  counting = false;
  delete something;
  EXPECT_EQ(allocations.exchange(0), 2);
}

TEST(AllocationTest, NoneInATrainingStep) { ExpectNoAllocations(kNetwork, 1, ElementType::kF32); }
TEST(AllocationTest, NoneOnTwoThreads) { ExpectNoAllocations(kNetwork, 2, ElementType::kF32); }
TEST(AllocationTest, NoneInBf16) { ExpectNoAllocations(kNetwork, 1, ElementType::kBf16); }

}  // namespace
}  // namespace cotangent::layers
