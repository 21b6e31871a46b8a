// Runs a fuzz target, without a fuzzer, on its corpus (a directory of stored inputs) and on a fixed
// number of mutations of these inputs. The only argument is the directory of the corpus.

#include <stdio.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 2000;
// The limit of processor time for one input, in seconds. It does not limit wall time, so that no
// test fails because the machine is busy.
constexpr double kMostSeconds = 1;

std::string corpus_directory;

struct Input {
  std::string name, bytes;
};

std::vector<Input> ReadCorpus() {
  std::vector<Input> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(corpus_directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.push_back(
        {entry.path().filename().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  std::sort(inputs.begin(), inputs.end(),
            [](const Input& a, const Input& b) { return a.name < b.name; });
  return inputs;
}

double ProcessorSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void RunInput(const std::string& name, const std::string& bytes) {
  SCOPED_TRACE(name);
  const double start = ProcessorSeconds();
  // The copy has exactly the input's size, so that the address sanitizer notices a read past its
  // end.
  const std::vector<uint8_t> input(bytes.begin(), bytes.end());
  EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
  EXPECT_LT(ProcessorSeconds() - start, kMostSeconds);
}

std::string Mutate(std::string bytes, const std::vector<Input>& inputs, std::mt19937_64& random) {
  const auto below = [&random](size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (uint64_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t place = below(bytes.size() + 1);
    switch (below(6)) {
      case 0:
        if (place < bytes.size()) bytes[place] ^= static_cast<char>(1 << below(8));
        break;
      case 1:
        bytes.insert(place, 1, static_cast<char>(random()));
        break;
      case 2:
        bytes.erase(place, below(16));
        break;
      case 3:
        bytes.resize(place);
        break;
      case 4: {
        constexpr const char* kPieces[] = {"99999999999999999999", "-1",    "((((", "{", "}", "nan",
                                           "\xff\xff\xff\xff",     "1e999", "\n"};
        bytes.insert(place, kPieces[below(std::size(kPieces))]);
        break;
      }
      default: {
        const std::string& other = inputs[below(inputs.size())].bytes;
        bytes.insert(place, other.substr(below(other.size()), below(64)));
      }
    }
  }
  return bytes;
}

TEST(Replay, Corpus) {
  const std::vector<Input> inputs = ReadCorpus();
  ASSERT_FALSE(inputs.empty());
  RunInput("empty", "");
  for (const Input& input : inputs) RunInput(input.name, input.bytes);
}

TEST(Replay, Mutations) {
  const std::vector<Input> inputs = ReadCorpus();
  ASSERT_FALSE(inputs.empty());
  std::mt19937_64 random(1);
  for (int i = 0; i < kMutations; ++i) {
    const Input& input = inputs[i % inputs.size()];
    RunInput(input.name + ", mutation " + std::to_string(i), Mutate(input.bytes, inputs, random));
    if (HasFailure()) break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  corpus_directory = argv[1];
  return RUN_ALL_TESTS();
}
