// Programs run as a person runs them: processes with a command line, a directory to stand in, two
// outputs and an exit code.
#ifndef COTANGENT_TESTS_PROCESS_PROCESS_H_
#define COTANGENT_TESTS_PROCESS_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace cotangent::tests {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

struct Outcome {
  int exit_code = -1;  // -1 where a signal ended the process
  int signal = 0;
  bool timed_out = false;
  std::string output, errors;
};

// A process with its outputs in files.
class Process {
 public:
  struct Options {
    std::string directory = {};  // where it stands; also its $HOME and $XDG_CACHE_HOME unless
                                 // `environment` says otherwise
    std::vector<std::string> environment = {};  // NAME=value, beside $PATH
    std::function<void()> before_exec = {};     // in the child: limits and the like
  };
  // Starts `program`, a path.
  Process(const std::string& program, const std::vector<std::string>& arguments,
          const Options& options);
  // Kills what still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  bool IsRunning();
  void Signal(int signal_number) const;
  // What it has written so far.
  std::string Output() const;
  std::string Errors() const;
  // Waits until condition() holds: true, or until the process has ended or so many seconds have
  // passed: false.
  bool WaitUntil(const std::function<bool()>& condition, double seconds);
  // Waits for its end; kills it after so many seconds.
  Outcome Wait(double seconds);

 private:
  void Reap(bool wait);

  pid_t id_ = -1;
  bool ended_ = false;
  int status_ = 0;
  std::string output_path_, errors_path_;
};

Outcome RunProgram(const std::string& program, const std::vector<std::string>& arguments,
                   const Process::Options& options, double seconds);

// The path of a file among the test's data: "tools/train".
std::string Runfile(const std::string& path);

// A new, empty directory for a test, and files in it.
std::string MakeTestDirectory(const std::string& name);
std::string ReadFileOrEmpty(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);
std::vector<std::string> FilesIn(
    const std::string& directory);  // names, sorted; directories end with '/'

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_PROCESS_PROCESS_H_
