#include "tests/programs/program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::tests {
namespace {

std::string ProgramsDirectory() {
  const char* sources = getenv("TEST_SRCDIR");
  const char* workspace = getenv("TEST_WORKSPACE");
  return std::string(sources == nullptr ? "." : sources) + "/" +
         (workspace == nullptr ? "" : workspace) + "/tools";
}

}  // namespace

Program::Program(const std::vector<std::string>& command, const std::string& directory) {
  static int serial = 0;
  const std::string base =
      ::testing::TempDir() + "/output-" + std::to_string(getpid()) + "-" + std::to_string(serial++);
  out_path_ = base + ".out";
  err_path_ = base + ".err";
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string path = ProgramsDirectory() + ":/usr/bin:/bin",
                    cache = ::testing::TempDir() + "/cache";
  pid_ = fork();
  if (pid_ != 0) return;
  const int out = open(out_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666),
            err = open(err_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  setenv("PATH", path.c_str(), 1);
  setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  setenv("BUILD_WORKING_DIRECTORY", directory.c_str(), 1);
  setenv("OMP_WAIT_POLICY", "passive", 0);
  if (chdir(directory.c_str()) != 0) _exit(126);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Program::Program(const std::string& name, const std::vector<std::string>& arguments,
                 const std::string& directory)
    : Program(
          [&] {
            std::vector<std::string> command = {ProgramsDirectory() + "/" + name};
            command.insert(command.end(), arguments.begin(), arguments.end());
            return command;
          }(),
          directory) {}

Program Program::Shell(const std::string& command, const std::string& directory) {
  return Program({"/bin/sh", "-c", command}, directory);
}

Program::Program(Program&& other) noexcept
    : pid_(other.pid_), out_path_(other.out_path_), err_path_(other.err_path_) {
  other.pid_ = -1;
}

Program::~Program() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Program::Send(int signal_number) { kill(pid_, signal_number); }

Finished Program::Wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), Contents(out_path_),
          Contents(err_path_)};
}

Finished RunProgram(const std::string& name, const std::vector<std::string>& arguments,
                    const std::string& directory) {
  return Program(name, arguments, directory).Wait();
}

std::string NewDirectory(const std::string& name) {
  const std::string directory = ::testing::TempDir() + "/" + name;
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  return directory;
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::map<std::string, std::string> TensorsOf(const std::string& path) {
  const std::string bytes = Contents(path);
  std::map<std::string, std::string> tensors;
  if (bytes.size() < 8) return tensors;
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof(length));
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const int64_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    tensors[name] = bytes.substr(8 + length + begin, end - begin);
  }
  return tensors;
}

bool WaitForLines(const std::string& path, int lines, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    const std::string text = Contents(path);
    if (std::count(text.begin(), text.end(), '\n') >= lines) return true;
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > seconds)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace cotangent::tests
