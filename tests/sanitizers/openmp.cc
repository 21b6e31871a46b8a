// OpenMP as thread sanitizer should see it. `--config=tsan` links this file into every program.
//
// GCC's OpenMP runtime (libgomp) is not compiled with the sanitizer, and makes its threads wait for
// each other by system calls that the sanitizer does not know. It would report every number that
// one parallel region writes and the code after it, or the next region, reads. A suppression would
// have to name the bodies of parallel regions (`race:._omp_fn.`), and with the false reports hide
// the true ones: two threads of a region that write to one place.
//
// Instead, the sanitizer is told of what OpenMP promises, as Archer does for LLVM's runtime (Atzeni
// et al., "ARCHER: effectively spotting data races in large OpenMP applications", 2016). Regions of
// ours and of oneDNN begin by a call of GOMP_parallel(), and wait within by GOMP_barrier(). Both
// are wrapped here:
//
//   before a region  ->  in each of its threads  ->  after the region
//   before a barrier, in each thread  ->  after it, in each thread
//
// Races between threads of one region stay visible. Our loops have static schedules, which take no
// other call.
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

// The runtime's own function of a name.
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

// What oneDNN, not compiled with the sanitizer either, copies and clears by functions of the C
// library, which are watched: within its regions it keeps order by atomic variables of its own.
const char* __tsan_default_suppressions() { return "called_from_lib:libdnnl.so\n"; }

}  // extern "C"
