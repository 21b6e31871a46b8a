// Runs the project's programs as a user would, for tests.
#ifndef COTANGENT_TESTS_PROGRAMS_PROGRAM_H_
#define COTANGENT_TESTS_PROGRAMS_PROGRAM_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace cotangent::tests {

struct Finished {
  int exit_code = -1;  // 128 + the signal's number of a process that was killed
  std::string out, err;
};

// A running program. Its output goes to files in its directory's parent, so that it never waits for
// a reader.
class Program {
 public:
  // name: "train", as in //tools. Runs in `directory`, which must exist; caches go to the test's
  // own directory.
  Program(const std::string& name, const std::vector<std::string>& arguments,
          const std::string& directory);
  // sh -c `command`, with the programs in its PATH.
  static Program Shell(const std::string& command, const std::string& directory);
  ~Program();
  Program(Program&& other) noexcept;

  void Send(int signal_number);
  Finished Wait();

 private:
  Program(const std::vector<std::string>& command, const std::string& directory);
  pid_t pid_ = -1;
  std::string out_path_, err_path_;
};

Finished RunProgram(const std::string& name, const std::vector<std::string>& arguments,
                    const std::string& directory);

// A new empty directory for the test.
std::string NewDirectory(const std::string& name);
// The file's contents; empty if it is not there.
std::string Contents(const std::string& path);
// The tensors of a safetensors file, as bytes by name, without any check.
std::map<std::string, std::string> TensorsOf(const std::string& path);
// Waits until a file has so many lines; false after `seconds`.
bool WaitForLines(const std::string& path, int lines, double seconds);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_PROGRAMS_PROGRAM_H_
