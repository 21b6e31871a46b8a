// What a network predicts about an image. The network's loss decides it, data sets are read
// accordingly, and answers are measured and shown accordingly.
#ifndef COTANGENT_BASE_TARGET_KIND_H_
#define COTANGENT_BASE_TARGET_KIND_H_

namespace cotangent {

enum class TargetKind {
  kClass,    // to which one of several classes the image belongs
  kLabels,   // which of several labels, any number of them, apply to it
  kNumbers,  // the values of one or several numbers
};

// Returns the word for messages: "classes", "labels" or "numbers".
constexpr const char* PluralOf(TargetKind kind) {
  return kind == TargetKind::kClass    ? "classes"
         : kind == TargetKind::kLabels ? "labels"
                                       : "numbers";
}

}  // namespace cotangent

#endif  // COTANGENT_BASE_TARGET_KIND_H_
