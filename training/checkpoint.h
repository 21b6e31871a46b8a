// Writes and reads checkpoints: files in which a training run saves its state, so that the run can
// be continued, or its network used, later.
//
// A checkpoint is a safetensors file (weights/safetensors.h describes the format), so that other
// programs can read it. Its metadata hold a checksum (CRC-32C) of every tensor and of the header,
// so that the reader detects a flipped bit or a file that is cut short.
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

// A tensor to be written: f32 numbers (`data`) or 8-bit signed integers (`integers`) in row-major
// order, as many as `shape` says.
struct CheckpointTensor {
  std::string name;
  std::vector<int64_t> shape;
  const float* data = nullptr;
  // Set instead of `data` for a tensor of integers. The checkpoint must then also contain a tensor
  // with the same name and kScaleSuffix, which holds a scale for each row: the number that the
  // integer 1 stands for.
  const int8_t* integers = nullptr;
};
// For a tensor of integers "conv1.weight" [rows, ...] the tensor of scales is "conv1.weight.scale",
// f32 [rows].
inline constexpr char kScaleSuffix[] = ".scale";

// A checkpoint in memory whose checksums have been verified.
class Checkpoint {
 public:
  struct Tensor {
    std::vector<int64_t> shape;
    int64_t begin = 0;   // byte offset in the file of the tensor's numbers
    int64_t size = 0;    // how many numbers the tensor has
    int64_t rows = 0;    // rows of a tensor of integers, each with a scale; 0 for a tensor of f32
    int64_t scales = 0;  // byte offset of the scales in the file
  };

  const Metadata& metadata() const { return metadata_; }
  // Returns the value of a metadata entry, or "" if there is no such entry.
  std::string Get(const std::string& key) const;
  // Returns the tensors by their names.
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const Tensor* Find(const std::string& name) const;
  // Copies the numbers of a tensor of this checkpoint to `destination`, as f32. Integers are
  // multiplied by the scale of their row.
  void CopyTo(const Tensor& tensor, float* destination) const;

 private:
  friend absl::StatusOr<Checkpoint> ParseCheckpoint(std::string bytes, absl::string_view source);
  Metadata metadata_;
  std::map<std::string, Tensor> tensors_;
  std::string bytes_;
};

// Reads the bytes of a file that WriteCheckpoint() made. Whatever the bytes are, the result is
// either a checkpoint whose checksums are all right, or an InvalidArgument error that begins with
// `source` (the file's path, for example) and says what was found, where, and what was expected.
absl::StatusOr<Checkpoint> ParseCheckpoint(std::string bytes, absl::string_view source);

// Reads a checkpoint file. Memory for a whole regular file is allocated only after its header's
// length has been found plausible and enough memory is free.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path);

// Returns the CRC-32C checksum of the iSCSI standard (RFC 3720), which uses Castagnoli's
// polynomial.
uint32_t Crc32c(absl::string_view bytes);

// Writes a checkpoint; the file appears whole or not at all. The file is then read back, and
// DataLoss is returned if it does not read as a good checkpoint. `metadata` must not contain the
// keys "format", "crc32c" and "header_crc32c", which this function sets.
absl::Status WriteCheckpoint(const std::string& path, const Metadata& metadata,
                             absl::Span<const CheckpointTensor> tensors);

// Returns "DIRECTORY/checkpoint-00001200.safetensors" for step 1200.
std::string CheckpointPath(const std::string& directory, int64_t step);

// The file name of the checkpoint whose parameters had the best evaluation on the validation
// images.
inline constexpr char kBestCheckpoint[] = "best.safetensors";

// A checkpoint file of a run. ListCheckpoints() returns all checkpoint files of a directory, the
// one of the latest step first.
struct CheckpointFile {
  std::string path;
  int64_t step = 0;
};
std::vector<CheckpointFile> ListCheckpoints(const std::string& directory);

// A checkpoint and the path of its file. FindNewestGood() returns the newest undamaged checkpoint
// of a directory, or nothing if there is none. For each damaged checkpoint that is newer, it calls
// `report` with a line of text.
struct FoundCheckpoint {
  std::string path;
  Checkpoint checkpoint;
};
std::optional<FoundCheckpoint> FindNewestGood(
    const std::string& directory, const std::function<void(const std::string&)>& report);

// Removes all checkpoints of a directory but the newest `keep`, or the newest one if `keep` is
// below 1. Returns whether it has removed any.
bool RemoveOldCheckpoints(const std::string& directory, int keep);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_CHECKPOINT_H_
