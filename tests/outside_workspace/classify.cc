// Classifies a picture with a network that the program `train` made:
//
//   classify runs/mine photo.ppm   (a binary PPM with 8 bits a channel; any decoder can make one)

#include <cstdint>
#include <cstdio>
#include <vector>

#include "inference/classifier.h"

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "classify CHECKPOINT PICTURE.ppm\n"), 2;
  const auto classifier = cotangent::inference::Classifier::Load(argv[1]);
  if (!classifier.ok()) {
    std::fprintf(stderr, "%s\n", classifier.status().ToString().c_str());
    return 2;
  }
  int width = 0, height = 0;
  std::FILE* const file = std::fopen(argv[2], "rb");
  if (file == nullptr || std::fscanf(file, "P6 %d %d 255%*c", &width, &height) != 2 || width < 1 ||
      height < 1 || width > 10'000 || height > 10'000)
    return std::fprintf(stderr, "%s is no binary PPM\n", argv[2]), 2;
  std::vector<uint8_t> rgb(size_t{3} * width * height);
  if (std::fread(rgb.data(), 1, rgb.size(), file) != rgb.size()) return 2;

  std::vector<float> probabilities((*classifier)->classes().size());
  const absl::Status status =
      (*classifier)->Classify({rgb.data(), width, height}, absl::MakeSpan(probabilities));
  if (!status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  for (size_t k = 0; k < probabilities.size(); ++k)
    std::printf("%.4f %s\n", probabilities[k], (*classifier)->classes()[k].c_str());
}
