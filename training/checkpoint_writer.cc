#include "training/checkpoint_writer.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/memory.h"

namespace cotangent::training {
namespace {

int64_t BytesOf(const CheckpointTensor& tensor) {
  int64_t bytes = tensor.integers != nullptr ? 1 : sizeof(float);
  for (const int64_t extent : tensor.shape) bytes *= extent;
  return bytes;
}

// Copies the numbers of tensors to `memory`, which has room for them. Returns the tensors with
// pointers to the copies.
std::vector<CheckpointTensor> CopyOf(absl::Span<const CheckpointTensor> tensors, char* memory) {
  std::vector<CheckpointTensor> copies(tensors.begin(), tensors.end());
  // Tensors of floats come first, then those of 8-bit integers, so that floats stay aligned to 4
  // bytes.
  for (const bool copies_floats : {true, false}) {
    for (CheckpointTensor& tensor : copies) {
      if (copies_floats != (tensor.integers == nullptr)) continue;
      const int64_t bytes = BytesOf(tensor);
      if (copies_floats) {
        std::memcpy(memory, tensor.data, bytes);
        tensor.data = reinterpret_cast<const float*>(memory);
      } else {
        std::memcpy(memory, tensor.integers, bytes);
        tensor.integers = reinterpret_cast<const int8_t*>(memory);
      }
      memory += bytes;
    }
  }
  return copies;
}

absl::Status WriteMakingRoom(const std::string& path, const Metadata& metadata,
                             absl::Span<const CheckpointTensor> tensors,
                             const CheckpointWriter::MakeRoom& make_room) {
  absl::Status status = WriteCheckpoint(path, metadata, tensors);
  if (!absl::IsResourceExhausted(status) || make_room == nullptr || !make_room()) return status;
  return WriteCheckpoint(path, metadata, tensors);
}

}  // namespace

std::shared_future<absl::Status> CheckpointWriter::Begin(std::string path, Metadata metadata,
                                                         absl::Span<const CheckpointTensor> tensors,
                                                         MakeRoom make_room) {
  int64_t bytes = 0;
  for (const CheckpointTensor& tensor : tensors) bytes += BytesOf(tensor);
  absl::StatusOr<AlignedBuffer> memory =
      AlignedBuffer::Create(bytes, "a copy of the checkpoint's tensors");
  if (!memory.ok()) return Write(path, metadata, tensors, make_room);
  std::vector<CheckpointTensor> copies = CopyOf(tensors, memory->as<char>());
  last_ = std::async(std::launch::async, [before = last_, path = std::move(path),
                                          metadata = std::move(metadata),
                                          memory = *std::move(memory), copies = std::move(copies),
                                          make_room = std::move(make_room)] {
            if (before.valid()) before.wait();
            return WriteMakingRoom(path, metadata, copies, make_room);
          }).share();
  return last_;
}

std::shared_future<absl::Status> CheckpointWriter::Write(const std::string& path,
                                                         const Metadata& metadata,
                                                         absl::Span<const CheckpointTensor> tensors,
                                                         const MakeRoom& make_room) {
  if (last_.valid()) last_.wait();
  std::promise<absl::Status> written;
  written.set_value(WriteMakingRoom(path, metadata, tensors, make_room));
  return last_ = written.get_future().share();
}

}  // namespace cotangent::training
