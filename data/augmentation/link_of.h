// For tests and benchmarks: transforms from texts.
#ifndef COTANGENT_DATA_AUGMENTATION_LINK_OF_H_
#define COTANGENT_DATA_AUGMENTATION_LINK_OF_H_

#include <cstdlib>
#include <string>

#include "data/augmentation/transform.h"
#include "google/protobuf/text_format.h"

namespace cotangent::data {

// Returns the link that a text such as "vertical_flip {} probability: 0.3" describes. Aborts if the
// text is wrong.
inline ChainLink LinkOf(const std::string& text) {
  TransformConfig config;
  if (!google::protobuf::TextFormat::ParseFromString(text, &config)) abort();
  return MakeLink(config, "transform").value();
}

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_AUGMENTATION_LINK_OF_H_
