// Lists leaks that the leak sanitizer should not report. `--config=asan` links this file into every
// program.
//
// Graphviz, and the libraries with which it draws text, keep fonts until the process ends, and
// sometimes lose the pointers to them: a few kilobytes in total.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libfontconfig\n"
         "leak:libgvc\n"
         "leak:libpango\n";
}
