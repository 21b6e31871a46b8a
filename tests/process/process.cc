#include "tests/process/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace cotangent::tests {
namespace {

namespace fs = std::filesystem;

std::string TestRoot() {
  const char* directory = getenv("TEST_TMPDIR");
  return directory != nullptr ? directory : fs::temp_directory_path().string();
}

std::string NewName(const std::string& stem) {
  static std::atomic<int> count = 0;
  return TestRoot() + "/" + stem + "-" + std::to_string(getpid()) + "-" + std::to_string(count++);
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool Sets(const std::vector<std::string>& environment, const std::string& name) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const std::string& entry) { return entry.rfind(name + "=", 0) == 0; });
}

}  // namespace

Process::Process(const std::string& program, const std::vector<std::string>& arguments,
                 const Options& options)
    : output_path_(NewName("output")), errors_path_(NewName("errors")) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = options.environment;
  const auto set = [&](const std::string& name, const char* value) {
    if (value != nullptr && !Sets(environment, name)) environment.push_back(name + "=" + value);
  };
  for (const char* name : {"HOME", "XDG_CACHE_HOME"}) set(name, options.directory.c_str());
  // Makes OpenMP threads that wait sleep instead of spinning, because other tests run on the same
  // machine.
  set("OMP_WAIT_POLICY", "passive");
  // The sanitizers read their options from the environment.
  for (const char* name : {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    set(name, getenv(name));
  const std::vector<char*> argv = Pointers(words), envp = Pointers(environment);
  const int output = open(output_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  const int errors = open(errors_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  id_ = fork();
  if (id_ == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(errors, 2);
    if (chdir(options.directory.c_str()) != 0) _exit(127);
    if (options.before_exec) options.before_exec();
    execve(program.c_str(), argv.data(), envp.data());
    perror(program.c_str());
    _exit(127);
  }
  close(output);
  close(errors);
}

Process::~Process() {
  if (IsRunning()) {
    kill(id_, SIGKILL);
    Reap(true);
  }
  unlink(output_path_.c_str());
  unlink(errors_path_.c_str());
}

void Process::Reap(bool wait) {
  if (!ended_ && id_ > 0 && waitpid(id_, &status_, wait ? 0 : WNOHANG) == id_) ended_ = true;
}

bool Process::IsRunning() {
  Reap(false);
  return !ended_ && id_ > 0;
}

void Process::Signal(int signal_number) const { kill(id_, signal_number); }
std::string Process::Output() const { return ReadFileOrEmpty(output_path_); }
std::string Process::Errors() const { return ReadFileOrEmpty(errors_path_); }

bool Process::WaitUntil(const std::function<bool()>& condition, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (!IsRunning() || std::chrono::steady_clock::now() > end) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

Outcome Process::Wait(double seconds) {
  Outcome outcome;
  WaitUntil([this] { return !IsRunning(); }, seconds);
  if (IsRunning()) {
    outcome.timed_out = true;
    kill(id_, SIGKILL);
    Reap(true);
  }
  if (WIFEXITED(status_)) outcome.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
  outcome.output = Output();
  outcome.errors = Errors();
  return outcome;
}

Outcome RunProgram(const std::string& program, const std::vector<std::string>& arguments,
                   const Process::Options& options, double seconds) {
  return Process(program, arguments, options).Wait(seconds);
}

std::string Runfile(const std::string& path) {
  const char* root = getenv("TEST_SRCDIR");
  const char* workspace = getenv("TEST_WORKSPACE");
  if (root == nullptr || workspace == nullptr) return fs::absolute(path).string();
  return std::string(root) + "/" + workspace + "/" + path;
}

std::string MakeTestDirectory(const std::string& name) {
  const std::string path = NewName(name);
  fs::create_directories(path);
  return path;
}

std::string ReadFileOrEmpty(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string() + (entry->is_directory(error) ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cotangent::tests
