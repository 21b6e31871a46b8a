// Checkpoints: safetensors files, so that other programs can read them, that cannot be read
// wrongly.
//
// The format itself: weights/safetensors.h. In the metadata lie the checksums (CRC-32C) of every
// tensor and of the header itself, so that a flipped bit or a missing end is found.
#ifndef COTANGENT_TRAINING_CHECKPOINT_H_
#define COTANGENT_TRAINING_CHECKPOINT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "training/weights/safetensors.h"

namespace cotangent::training {

// A tensor to be written: f32, or integers, row-major, of as many numbers as `shape` says.
struct CheckpointTensor {
  std::string name;
  std::vector<int64_t> shape;
  const float* data = nullptr;
  // Instead: s8. A tensor of kScaleSuffix besides says what a unit of each row stands for.
  const int8_t* integers = nullptr;
};
// "conv1.weight.scale", f32 [rows]: of the tensor of integers "conv1.weight" [rows, ...].
inline constexpr char kScaleSuffix[] = ".scale";

// A checkpoint in memory, all of it checked.
class Checkpoint {
 public:
  struct Tensor {
    std::vector<int64_t> shape;
    int64_t begin = 0;   // of its bytes in the file
    int64_t size = 0;    // in numbers
    int64_t rows = 0;    // of s8, each with a scale; 0: f32
    int64_t scales = 0;  // where those begin in the file
  };

  const Metadata& metadata() const { return metadata_; }
  // The value of an entry of the metadata; empty where there is none.
  std::string Get(const std::string& key) const;
  // By name.
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const Tensor* Find(const std::string& name) const;
  // Copies the numbers of a tensor of this checkpoint: of integers, what they stand for.
  void CopyTo(const Tensor& tensor, float* destination) const;

 private:
  friend absl::StatusOr<Checkpoint> ParseCheckpoint(std::string bytes, absl::string_view source);
  Metadata metadata_;
  std::map<std::string, Tensor> tensors_;
  std::string bytes_;
};

// Reads the bytes of a file that WriteCheckpoint() made. Whatever the bytes: a checkpoint whose
// every checksum is right, or an InvalidArgument error that begins with `source` and says what was
// found, where, and what was expected.
absl::StatusOr<Checkpoint> ParseCheckpoint(std::string bytes, absl::string_view source);

// The same for a file. Nothing of the file's size is allocated before its header has been found to
// fit it.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path);

// The checksum of the iSCSI standard, Castagnoli's polynomial.
uint32_t Crc32c(absl::string_view bytes);

// Writes a checkpoint that appears whole or not at all, and reads it back to see that the disk
// holds what was meant. `metadata` must not use the keys of this format: "format", "crc32c",
// "header_crc32c".
absl::Status WriteCheckpoint(const std::string& path, const Metadata& metadata,
                             absl::Span<const CheckpointTensor> tensors);

// "DIRECTORY/checkpoint-00001200.safetensors"
std::string CheckpointPath(const std::string& directory, int64_t step);

// The checkpoints of a directory, newest (most steps) first.
struct CheckpointFile {
  std::string path;
  int64_t step = 0;
};
std::vector<CheckpointFile> ListCheckpoints(const std::string& directory);

// The newest checkpoint of a directory that is whole. Those before it in age that are damaged are
// reported, one line each.
struct FoundCheckpoint {
  std::string path;
  Checkpoint checkpoint;
};
std::optional<FoundCheckpoint> FindNewestGood(
    const std::string& directory, const std::function<void(const std::string&)>& report);

// Removes all but the `keep` newest checkpoints of a directory.
void RemoveOldCheckpoints(const std::string& directory, int keep);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_CHECKPOINT_H_
