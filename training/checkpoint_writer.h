// Writes checkpoints while the training whose state they hold goes on.
#ifndef COTANGENT_TRAINING_CHECKPOINT_WRITER_H_
#define COTANGENT_TRAINING_CHECKPOINT_WRITER_H_

#include <future>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "training/checkpoint.h"

namespace cotangent::training {

class CheckpointWriter {
 public:
  // Begins to write a checkpoint as WriteCheckpoint() does, and returns the place of its status.
  // The tensors are copied, so that they may change when this function returns; where memory for
  // the copy is short, the file is written before it returns. Files are written one after the
  // other, in the order of the calls. When the last copy of the result is destroyed, the file has
  // been written.
  std::shared_future<absl::Status> Begin(std::string path, Metadata metadata,
                                         absl::Span<const CheckpointTensor> tensors);
  // The same, but has written the file when it returns, and copies nothing.
  std::shared_future<absl::Status> Write(const std::string& path, const Metadata& metadata,
                                         absl::Span<const CheckpointTensor> tensors);

 private:
  std::shared_future<absl::Status> last_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_CHECKPOINT_WRITER_H_
