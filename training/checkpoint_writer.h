// Writes checkpoints while the training whose state they hold goes on.
#ifndef COTANGENT_TRAINING_CHECKPOINT_WRITER_H_
#define COTANGENT_TRAINING_CHECKPOINT_WRITER_H_

#include <functional>
#include <future>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "training/checkpoint.h"

namespace cotangent::training {

class CheckpointWriter {
 public:
  // Frees space on the disk and returns whether it has found something to free.
  using MakeRoom = std::function<bool()>;

  // Begins to write a checkpoint as WriteCheckpoint() does, in a thread of its own, and returns a
  // future for the status. The tensors are copied, so the caller may change them after this
  // function has returned; if there is no memory for the copy, the function writes the file before
  // it returns. Files are written one after the other, in the order of the calls. The destructor of
  // the last copy of the future waits until the file has been written. If the disk is full,
  // the thread that writes calls `make_room`, and writes the file once more if that has freed
  // anything.
  std::shared_future<absl::Status> Begin(std::string path, Metadata metadata,
                                         absl::Span<const CheckpointTensor> tensors,
                                         MakeRoom make_room = nullptr);
  // Like Begin(), but does not copy the tensors: the checkpoint is written before Write() returns.
  std::shared_future<absl::Status> Write(const std::string& path, const Metadata& metadata,
                                         absl::Span<const CheckpointTensor> tensors,
                                         const MakeRoom& make_room = nullptr);

 private:
  std::shared_future<absl::Status> last_;  // status of the file that was begun last
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_CHECKPOINT_WRITER_H_
