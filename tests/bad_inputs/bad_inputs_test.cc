// Runs every case of the table of bad inputs (cases/*.txt), which README.md beside this file
// describes.

#include <dirent.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/process/process.h"

namespace cotangent::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kLongestSeconds = 10;
constexpr double kPatience = 240;  // for preparations, in seconds
const std::set<std::string> kPrograms = {"benchmark",  "differentiate", "evaluate", "export",
                                         "fetch_data", "lab",           "predict",  "quantise",
                                         "scaling",    "serve",         "train"};

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

// Runs commands in a shell whose $PATH has the programs of tools/, and whose $RUN is the output
// directory of a finished training run.
class Shell {
 public:
  Shell() : home_(MakeTestDirectory("home")) {
    const Outcome run =
        Run("train --network=softmax_classifier --dataset=sample --batch_size=400 --max_steps=1 "
            "--threads=1 --output_dir=run",
            home_, kPatience);
    EXPECT_EQ(run.exit_code, 0) << run.errors;
  }
  Outcome Run(const std::string& command, const std::string& directory, double seconds) const {
    Process::Options options = {.directory = directory, .environment = {}, .before_exec = {}};
    options.environment = {
        "PATH=" + Runfile("tools") + ":" + Runfile("tools/lab") + ":/usr/bin:/bin",
        "XDG_CACHE_HOME=" + home_, "RUN=" + home_ + "/run"};
    return RunProgram("/bin/sh", {"-c", command}, options, seconds);
  }

 private:
  const std::string home_;
};

void TryCase(const Case& c, const Shell& shell) {
  SCOPED_TRACE(c.name + ": " + c.command);
  ASSERT_FALSE(c.command.empty() || c.says.empty());
  const std::string directory = MakeTestDirectory("case");
  for (const auto& [name, text] : c.files) WriteFile(directory + "/" + name, text);
  for (const std::string& preparation : c.preparations) {
    const Outcome prepared = shell.Run(preparation, directory, kPatience);
    EXPECT_EQ(prepared.exit_code, 0) << preparation << ": " << prepared.errors;
  }
  const Outcome run = shell.Run(c.command, directory, kLongestSeconds);
  EXPECT_FALSE(run.timed_out);
  EXPECT_EQ(run.exit_code, c.exit_code) << run.errors;
  for (const std::string& text : c.says) EXPECT_THAT(run.errors, HasSubstr(text));
  EXPECT_THAT(run.errors, Not(HasSubstr("Sanitizer")));
  EXPECT_THAT(run.errors, Not(HasSubstr("runtime error")));
  EXPECT_EQ(run.output, "");
  for (const std::string& name : FilesIn(directory))
    EXPECT_THAT(name, Not(HasSubstr(".tmp-"))) << "half a file";
}

// Returns the program of a command: its first word that is neither `env` nor an assignment to a
// variable. Commands use `env` before programs whose names are also commands of the shell.
std::string ProgramOf(const std::string& command) {
  std::istringstream words(command);
  std::string word;
  while (words >> word && (word == "env" || word.find('=') != std::string::npos)) {
  }
  return word;
}

TEST(BadInputs, EachIsRefusedWithAReason) {
  const std::vector<Case> cases = AllCases();
  EXPECT_GE(cases.size(), 100u);
  const Shell shell;
  std::set<std::string> tried;
  for (const Case& c : cases) {
    TryCase(c, shell);
    tried.insert(ProgramOf(c.command));
  }
  EXPECT_EQ(tried, kPrograms);
}

}  // namespace
}  // namespace cotangent::tests
