// Runs programs as a person would: as processes with a command line, a current directory, standard
// output and error, and an exit code.
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
  int exit_code = -1;  // -1 if a signal ended the process
  int signal = 0;
  bool timed_out = false;
  std::string output, errors;
};

// A process that writes its standard output and standard error to files.
class Process {
 public:
  struct Options {
    std::string directory = {};  // current directory; by default also $HOME and $XDG_CACHE_HOME
    std::vector<std::string> environment = {};  // NAME=value, in addition to $PATH and others
    std::function<void()> before_exec = {};     // called in the child, to set limits and the like
  };
  // Starts the program at the path `program`.
  Process(const std::string& program, const std::vector<std::string>& arguments,
          const Options& options);
  // Kills the process if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  bool IsRunning();
  void Signal(int signal_number) const;
  // Return what the process has written so far.
  std::string Output() const;
  std::string Errors() const;
  // Waits until condition() holds, and returns true. Returns false if condition() does not hold
  // when the process has ended or `seconds` seconds have passed.
  bool WaitUntil(const std::function<bool()>& condition, double seconds);
  // Waits for the end of the process, which is killed after `seconds` seconds, and returns the
  // outcome.
  Outcome Wait(double seconds);

 private:
  void Reap(bool wait);

  pid_t id_ = -1;
  bool ended_ = false;
  int status_ = 0;
  std::string output_path_, errors_path_;
};

// Runs a program to its end, for at most `seconds` seconds.
Outcome RunProgram(const std::string& program, const std::vector<std::string>& arguments,
                   const Process::Options& options, double seconds);

// Returns the path of a file among the test's data. `path`, such as "tools/train", is relative to
// the root of the repository.
std::string Runfile(const std::string& path);

// MakeTestDirectory() makes a new, empty directory, whose name begins with `name`, and returns its
// path. WriteFile() creates the directories that the path of the file names.
std::string MakeTestDirectory(const std::string& name);
std::string ReadFileOrEmpty(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);
std::vector<std::string> FilesIn(
    const std::string& directory);  // sorted names; those of directories end with '/'

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_PROCESS_PROCESS_H_
