// Draws networks at random, compiles them for this machine, and checks that their results agree
// with the reference (plain loops in double). A network also counts as disagreeing if it cannot be
// built or if its check crashes or does not end. The program reports each network that disagrees,
// with as few layers as could be found by removing layers while it still disagrees:
//
//   bazel run //tests/random_networks -- --count=10000 --seed=1 --isa=avx2 --precision=bf16
//
// The exit code is 1 if any network disagrees, and 2 if --precision is neither f32 nor bf16.

#include <cstdio>
#include <cstdlib>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/random_networks/check.h"
#include "tests/random_networks/draw.h"

ABSL_FLAG(int64_t, count, 1000, "how many networks");
ABSL_FLAG(uint64_t, seed, 1, "of the first; each of the others has the next");
ABSL_FLAG(std::string, isa, "",
          "portable, avx2, avx512 or avx512_bf16; as the processor has it if not given");
ABSL_FLAG(std::string, precision, "f32", "f32 or bf16");

int main(int argc, char** argv) {
  using namespace cotangent;  // NOLINT
  absl::ParseCommandLine(argc, argv);
  testing::InitGoogleTest();
  const std::string isa = absl::GetFlag(FLAGS_isa), precision = absl::GetFlag(FLAGS_precision);
  if (!isa.empty()) setenv("COTANGENT_ISA", isa.c_str(), 1);
  if (precision != "f32" && precision != "bf16") {
    std::fprintf(stderr, "random_networks: --precision=%s; f32 or bf16 expected\n",
                 precision.c_str());
    return 2;
  }
  int64_t failures = 0;
  const uint64_t first = absl::GetFlag(FLAGS_seed);
  const int64_t count = absl::GetFlag(FLAGS_count);
  for (int64_t i = 0; i < count; ++i) {
    const tests::CheckOptions options = {
        .precision = precision == "bf16" ? ElementType::kBf16 : ElementType::kF32,
        .seed = first + i};
    tests::RandomNetwork network = tests::DrawNetwork(options.seed);
    if (tests::DisagreementsOfChild(network, options).empty()) continue;
    ++failures;
    network = tests::Shrink(std::move(network), options);
    std::printf("# seed %s\n%s%s\n", absl::StrCat(options.seed).c_str(), network.Text().c_str(),
                tests::DisagreementsOfChild(network, options).c_str());
    std::fflush(stdout);
  }
  std::printf("%s networks, %s disagree\n", absl::StrCat(count).c_str(),
              absl::StrCat(failures).c_str());
  return failures == 0 ? 0 : 1;
}
