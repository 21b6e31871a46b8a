// What leak sanitizer should not report. `--config=asan` links this file into every program.
//
// Graphviz and the libraries it draws text with keep fonts until the process ends, some of them
// where no pointer is seen any more: a few kilobytes, once.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libfontconfig\n"
         "leak:libgvc\n"
         "leak:libpango\n";
}
