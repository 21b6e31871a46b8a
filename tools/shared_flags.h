// Flags that several programs have, each with the same meaning and the same words in --help. A
// program names those that it takes, at global scope:
//
//   COTANGENT_THREADS_FLAG;
//
// defines --threads, whose value is absl::GetFlag(FLAGS_threads).
#ifndef COTANGENT_TOOLS_SHARED_FLAGS_H_
#define COTANGENT_TOOLS_SHARED_FLAGS_H_

#include <cstdint>
#include <string>

#include "absl/flags/flag.h"

#define COTANGENT_NETWORK_FLAG(standard) \
  ABSL_FLAG(std::string, network, standard, "a network of the zoo, or the path of a network text")

#define COTANGENT_SET_FLAG        \
  ABSL_FLAG(std::string, set, "", \
            "field.path=value: override a field of the network text; may be repeated")

#define COTANGENT_BATCH_SIZE_FLAG \
  ABSL_FLAG(int64_t, batch_size, 0, "images a step; as the network text says if not given")

#define COTANGENT_PRECISION_FLAG \
  ABSL_FLAG(std::string, precision, "", "f32 or bf16; as the network text says if not given")

#define COTANGENT_EXACT_FLAG ABSL_FLAG(bool, exact, false, "no Winograd convolutions")

#define COTANGENT_THREADS_FLAG ABSL_FLAG(int, threads, 0, "threads that compute; 0: one a core")

#define COTANGENT_CHECKPOINT_FLAG \
  ABSL_FLAG(std::string, checkpoint, "", "a checkpoint that train wrote, or the directory of a run")

#define COTANGENT_DATA_DIR_FLAG        \
  ABSL_FLAG(std::string, data_dir, "", \
            "where the data are, or go; $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent")

// `default_value` is "stop" or another that the program knows; `more` tells what else there is.
#define COTANGENT_ON_BAD_IMAGE_FLAG(default_value, more) \
  ABSL_FLAG(std::string, on_bad_image, default_value,    \
            "what a picture that cannot be read does: stop or skip (it, and say so)" more)

#endif  // COTANGENT_TOOLS_SHARED_FLAGS_H_
