// Runs the table of bad inputs (see README.md).

#include <dirent.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/programs/program.h"

namespace cotangent::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kLongestSeconds = 10;

struct Case {
  std::string name, command;
  std::vector<std::string> preparations, says;
  std::vector<std::pair<std::string, std::string>> files;
  int exit_code = 2;
};

bool Take(const std::string& line, const std::string& prefix, std::string* rest) {
  if (line.compare(0, prefix.size(), prefix) != 0) return false;
  *rest = line.substr(prefix.size());
  return true;
}

void ReadCases(const std::string& path, std::vector<Case>& cases) {
  std::ifstream file(path);
  std::string rest;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (Take(line, "== ", &rest)) {
      cases.push_back({});
      cases.back().name = rest;
    } else if (cases.empty()) {
      ADD_FAILURE() << path << ": a line before the first case: " << line;
    } else if (Take(line, "file ", &rest)) {
      cases.back().files.emplace_back(rest, "");
    } else if (line == "|" || Take(line, "| ", &rest)) {
      cases.back().files.back().second += (line == "|" ? "" : rest) + "\n";
    } else if (Take(line, "prepare: ", &rest)) {
      cases.back().preparations.push_back(rest);
    } else if (Take(line, "$ ", &rest)) {
      cases.back().command = rest;
    } else if (Take(line, "exit: ", &rest)) {
      cases.back().exit_code = atoi(rest.c_str());
    } else if (Take(line, "says: ", &rest)) {
      cases.back().says.push_back(rest);
    } else {
      ADD_FAILURE() << path << ": what is this line? " << line;
    }
  }
}

std::vector<Case> AllCases() {
  const std::string directory = std::string(getenv("TEST_SRCDIR")) + "/" +
                                getenv("TEST_WORKSPACE") + "/tests/bad_inputs/cases";
  std::vector<std::string> names;
  if (DIR* open = opendir(directory.c_str()); open != nullptr) {
    while (const dirent* entry = readdir(open)) {
      if (entry->d_name[0] != '.') names.push_back(entry->d_name);
    }
    closedir(open);
  }
  std::sort(names.begin(), names.end());
  std::vector<Case> cases;
  for (const std::string& name : names) ReadCases(directory + "/" + name, cases);
  return cases;
}

// A finished run for cases to copy from.
std::string FinishedRun() {
  static const std::string directory = [] {
    const std::string parent = NewDirectory("finished");
    const Finished run =
        RunProgram("train",
                   {"--network=softmax_classifier", "--dataset=sample", "--batch_size=400",
                    "--max_steps=1", "--threads=1", "--output_dir=run"},
                   parent);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return parent + "/run";
  }();
  return directory;
}

TEST(BadInputs, EachIsRefusedWithAReason) {
  const std::vector<Case> cases = AllCases();
  EXPECT_GE(cases.size(), 100u);
  setenv("RUN", FinishedRun().c_str(), 1);
  int number = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name + ": " + c.command);
    ASSERT_FALSE(c.command.empty() || c.says.empty());
    const std::string directory = NewDirectory("case-" + std::to_string(++number));
    for (const auto& [name, text] : c.files) std::ofstream(directory + "/" + name) << text;
    for (const std::string& preparation : c.preparations) {
      const Finished prepared = Program::Shell(preparation, directory).Wait();
      EXPECT_EQ(prepared.exit_code, 0) << preparation << ": " << prepared.err;
    }
    const auto start = std::chrono::steady_clock::now();
    const Finished run = Program::Shell(c.command, directory).Wait();
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
              kLongestSeconds);
    EXPECT_EQ(run.exit_code, c.exit_code) << run.err;
    for (const std::string& text : c.says) EXPECT_THAT(run.err, HasSubstr(text));
    EXPECT_THAT(run.err, Not(HasSubstr("Sanitizer")));
    EXPECT_THAT(run.err, Not(HasSubstr("runtime error")));
    EXPECT_EQ(run.out, "");
  }
}

}  // namespace
}  // namespace cotangent::tests
