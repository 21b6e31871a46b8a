// Tells the thread sanitizer how OpenMP synchronises threads. `--config=tsan` links this file into
// every program.
//
// GCC's OpenMP runtime (libgomp) is not compiled with the sanitizer, and its threads wait for each
// other by system calls that the sanitizer does not know. So the sanitizer would report every
// number that a parallel region writes and that later code reads. A suppression of these reports
// would have to name the bodies of parallel regions (`race:._omp_fn.`), and would also hide true
// reports of two threads of a region that write to the same place.
//
// Instead, this file tells the sanitizer which order OpenMP guarantees, as Archer does for LLVM's
// runtime (Atzeni et al., "ARCHER: effectively spotting data races in large OpenMP applications",
// 2016). Parallel regions of this project and of oneDNN begin with a call of GOMP_parallel() and
// wait inside with GOMP_barrier(). Both are wrapped here ("->" means "happens before"):
//
//   before a region  ->  in each of its threads  ->  after the region
//   before a barrier, in each thread  ->  after it, in each thread
//
// Races between threads of one region are still reported. The project's loops have static
// schedules, which call no other function of the runtime.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

struct Region {
  void (*body)(void*);
  void* data;
  char end;
};

void RunBody(void* argument) {
  __tsan_acquire(argument);
  Region& region = *static_cast<Region*>(argument);
  region.body(region.data);
  __tsan_release(&region.end);
}

// Returns the runtime's own function of this name.
template <typename Function>
Function* Original(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags) {
  static auto* const original = Original(&GOMP_parallel, "GOMP_parallel");
  Region region = {body, data, 0};
  __tsan_release(&region);
  original(RunBody, &region, threads, flags);
  __tsan_acquire(&region.end);
}

void GOMP_barrier() {
  static auto* const original = Original(&GOMP_barrier, "GOMP_barrier");
  static char all;
  __tsan_release(&all);
  original();
  __tsan_acquire(&all);
}

// oneDNN is not compiled with the sanitizer either, but it calls functions of the C library, which
// are watched, to copy and clear memory. It orders these calls by atomic variables that the
// sanitizer does not see.
const char* __tsan_default_suppressions() { return "called_from_lib:libdnnl.so\n"; }

}  // extern "C"
