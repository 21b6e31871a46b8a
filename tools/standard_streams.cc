#include "tools/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

namespace cotangent::tools {
namespace {

constexpr int kExitOutputLost = 1;

// Reports output that could not be written. exit() calls this function before it closes the
// streams.
void CheckStandardOutput(int exit_code, void*) {
  const bool failed_before = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && !failed_before) return;
  fprintf(stderr, "%s: standard output could not be written%s%s; what it should hold is lost\n",
          program_invocation_short_name, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
  if (exit_code == 0) _exit(kExitOutputLost);
}

}  // namespace

void GuardStandardStreams() {
  // open() uses the lowest free number. Standard output is opened for reading only, so that writing
  // to it fails.
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    if (open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
      _exit(kExitOutputLost);
  }
  on_exit(CheckStandardOutput, nullptr);
}

}  // namespace cotangent::tools
